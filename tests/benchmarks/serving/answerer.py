"""One replica of our ``prediction`` service with a queue that is full before it starts."""

import asyncio
import itertools
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import httpx
from interlock_contracts.access import KeyRing
from interlock_contracts.event import Envelope
from interlock_contracts.http import ServingView
from interlock_contracts.predictions import PredictionCompleted, PredictionRequested
from interlock_contracts.refs import ModelRef
from interlock_messaging import topology
from litestar import Litestar, get

from tests import signing
from tests.benchmarks.serving import processes
from tests.benchmarks.serving.environments import CHECKOUT
from tests.benchmarks.serving.ours import exported
from tests.benchmarks.serving.peer import Row
from tests.benchmarks.serving.reference import Reference
from tests.benchmarks.serving.targets import answers, free_port
from tests.integration.gateway_process import store_of
from tests.keys import ENVIRONMENT
from tests.unit.gateway.door import client, listening
from tests.waiting import until

_AT_ONCE = 500
_SECONDS = 300


@dataclass(frozen=True)
class Answerer:
    """Fills the service's queue before it runs, starts it and counts what it says it completed."""

    known: Reference
    servers: dict[str, str]
    work: Path
    count: int

    async def measure(self) -> dict[str, float]:
        """Return predictions per second, and per second of processor time, from the tenth part to the last."""
        with tempfile.TemporaryDirectory() as folder:
            registry_app = _registry(exported(self.known, "forest", store_of(self.servers), Path(folder)))
            async with (
                listening(registry_app) as registry,
                await aio_pika.connect(self.servers["INTERLOCK_AMQP_URL"]) as bus,
            ):
                channel = await bus.channel()
                exchange = await channel.declare_exchange("interlock.events", aio_pika.ExchangeType.TOPIC, durable=True)
                await topology.declare(self.servers["INTERLOCK_AMQP_URL"])
                done = _Counted()
                await done.follow(channel, exchange)
                await self._fill(exchange)
                async with self._service(registry, Path(folder)) as pid:
                    await done.reached(self.count // 10)
                    first, begun, used = done.count, time.perf_counter(), processes.cpu_seconds(pid)
                    await done.reached(self.count)
                    return processes.rate(
                        done.count - first, time.perf_counter() - begun, processes.cpu_seconds(pid) - used
                    )

    async def _fill(self, exchange: aio_pika.abc.AbstractExchange) -> None:
        rows = itertools.islice(itertools.cycle(self.known.rows), self.count)
        while together := [_asked(row) for row in itertools.islice(rows, _AT_ONCE)]:
            await asyncio.gather(*(exchange.publish(each, PredictionRequested.type) for each in together))

    @asynccontextmanager
    async def _service(self, registry: str, folder: Path) -> AsyncIterator[int]:
        """Run the service until it is ready, then on; give its process id."""
        url = f"http://127.0.0.1:{free_port()}"
        own = {
            "INTERLOCK_HOST": "127.0.0.1",
            "INTERLOCK_PORT": url.rpartition(":")[2],
            **ENVIRONMENT,
            "INTERLOCK_REGISTRY_URL": registry,
            "INTERLOCK_INGEST_URL": registry,
            "INTERLOCK_SPANS_DIR": str(folder / "spans"),
            "INTERLOCK_CACHE_DIR": str(folder / "models"),
            "INTERLOCK_SIGNING_PUBLIC_KEY": signing.PUBLIC,
        }
        command, log = [sys.executable, "-m", "interlock_prediction"], self.work / "prediction.log"
        env = os.environ | self.servers | own
        async with processes.running(command, env=env, folder=CHECKOUT, log=log) as pid:
            await answers(url, pid, log)
            async with client(url) as http:
                await until(lambda: _is_ready(http), seconds=60)
            yield pid


def _registry(ref: ModelRef) -> Litestar:
    """Return a registry in which one model serves."""

    @get("/serving")
    async def serving() -> list[ServingView]:
        return [signing.serving(ref, 1)]

    @get("/keys/ring")
    async def ring() -> KeyRing:
        return KeyRing(keys=[])

    return Litestar([serving, ring], openapi_config=None)


async def _is_ready(http: httpx.AsyncClient) -> bool:
    return (await http.get("/health/ready")).is_success


def _asked(row: Row) -> aio_pika.Message:
    event = PredictionRequested(prediction_id=uuid4(), model="forest", request_sha256="0" * 64, rows=[row])
    envelope = Envelope.of(event, source="gateway", cause=str(uuid4()), now=datetime.now(UTC))
    headers: Any = envelope.headers()
    return aio_pika.Message(
        event.body(), headers=headers, content_type="application/json", message_id=envelope.id, delivery_mode=2
    )


class _Counted:
    """Counts the predictions that are said to be completed."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = asyncio.Event()

    async def follow(self, channel: aio_pika.abc.AbstractChannel, exchange: aio_pika.abc.AbstractExchange) -> None:
        """Begin to count."""
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange, PredictionCompleted.type)
        await queue.consume(self._one, no_ack=True)

    async def _one(self, _: aio_pika.abc.AbstractIncomingMessage) -> None:
        self.count += 1
        self._changed.set()

    async def reached(self, count: int) -> None:
        """Return once so many are completed.

        Raises:
            TimeoutError: that took more than 300 seconds.
        """
        async with asyncio.timeout(_SECONDS):
            while self.count < count:
                self._changed.clear()
                await self._changed.wait()
