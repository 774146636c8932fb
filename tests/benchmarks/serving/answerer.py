"""One replica of our ``prediction`` service with a queue that is full before it starts."""

import asyncio
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aio_pika
from interlock_contracts.access import KeyRing
from interlock_contracts.event import Envelope
from interlock_contracts.http import ServingView
from interlock_contracts.predictions import PredictionCompleted, PredictionRequested
from interlock_contracts.refs import ModelRef
from interlock_messaging import topology
from interlock_messaging.tables import Base, OutboxRow
from interlock_prediction.store import PredictionRow
from interlock_runtime.database import Database
from litestar import Litestar, get
from sqlalchemy import ColumnElement, func, insert, select, text

from tests.benchmarks.serving import processes
from tests.benchmarks.serving.environments import CHECKOUT
from tests.benchmarks.serving.ours import exported
from tests.benchmarks.serving.peer import Row
from tests.benchmarks.serving.reference import Reference
from tests.benchmarks.serving.targets import end_of, free_port
from tests.support import signing
from tests.support.api_keys import ENVIRONMENT
from tests.support.gateway_app import listening
from tests.support.gateway_process import store_of
from tests.support.waiting import until

_AT_ONCE = 500
_SECONDS = 300
_HOPS = 100
"""Requests that are sent one after the other, when nothing else is to be done."""


@dataclass(frozen=True)
class Answerer:
    """Fills the service's queue before it runs, starts it and counts what it says it completed."""

    known: Reference
    servers: dict[str, str]
    work: Path
    count: int

    async def measure(self) -> dict[str, float]:
        """Return predictions per second, and per second of processor time, from the tenth part to the last.

        ``hop_ms`` is the median time of a request that finds the service idle: from its being sent to the event of
        its completion, through inbox and engine, one transaction and the outbox.
        """
        with tempfile.TemporaryDirectory() as folder:
            registry_app = _registry(exported(self.known, "forest", store_of(self.servers), Path(folder)))
            async with (
                listening(registry_app) as registry,
                await aio_pika.connect(self.servers["INTERLOCK_AMQP_URL"]) as bus,
            ):
                channel = await bus.channel()
                exchange = await channel.declare_exchange("interlock.events", aio_pika.ExchangeType.TOPIC, durable=True)
                await topology.declare(self.servers["INTERLOCK_AMQP_URL"])
                done = _Counted({uuid4() for _ in range(self.count)}, marks=(self.count // 10, self.count))
                await done.follow(channel, exchange)
                await self._fill(exchange, done.open)
                async with self._service(registry, Path(folder)) as pid:
                    (begun, used), (end, used_then) = await done.marked(pid, self._log)
                    hop = await self._hop(exchange, done)
                    rate = processes.rate(self.count - self.count // 10, end - begun, used_then - used)
                    return rate | {"hop_ms": 1000 * hop}

    async def keep(self, count: int) -> None:
        """Fill the tables as after ``count`` predictions more: copies of one that was completed and published."""
        database = Database(self.servers["INTERLOCK_POSTGRES_URL"], "prediction")
        async with database.sessions() as session, session.begin():
            for table, key, chosen in (
                (PredictionRow, "prediction_id", PredictionRow.state == "completed"),
                (OutboxRow, "id", OutboxRow.type == PredictionCompleted.type),
            ):
                await session.execute(_copies(table, key, chosen, count))
            await session.execute(text("ANALYZE"))
        await database.engine.dispose()

    async def _hop(self, exchange: aio_pika.abc.AbstractExchange, done: "_Counted") -> float:
        seconds = []
        asked = zip(itertools.cycle(self.known.rows), _traceparents(), strict=False)
        for row, traceparent in itertools.islice(asked, min(_HOPS, self.count // 10)):
            prediction_id, sent = uuid4(), time.perf_counter()
            arrived = done.expect(prediction_id)
            await exchange.publish(_asked(prediction_id, row, traceparent), PredictionRequested.type)
            seconds.append(await asyncio.wait_for(arrived, _SECONDS) - sent)
        return statistics.median(seconds)

    @property
    def _log(self) -> Path:
        return self.work / "prediction.log"

    async def _fill(self, exchange: aio_pika.abc.AbstractExchange, ids: set[UUID]) -> None:
        asked = zip(list(ids), itertools.cycle(self.known.rows), _traceparents(), strict=False)
        while together := [_asked(*each) for each in itertools.islice(asked, _AT_ONCE)]:
            await asyncio.gather(*(exchange.publish(each, PredictionRequested.type) for each in together))

    @asynccontextmanager
    async def _service(self, registry: str, folder: Path) -> AsyncIterator[int]:
        """Run the service; give its process id at once, for it may have answered all before we know it to be ready."""
        own = {
            "INTERLOCK_HOST": "127.0.0.1",
            "INTERLOCK_PORT": str(free_port()),
            **ENVIRONMENT,
            "INTERLOCK_REGISTRY_URL": registry,
            "INTERLOCK_INGEST_URL": registry,
            "INTERLOCK_SPANS_DIR": str(folder / "spans"),
            "INTERLOCK_CACHE_DIR": str(folder / "models"),
            "INTERLOCK_SIGNING_PUBLIC_KEY": signing.PUBLIC,
        }
        command, env = [sys.executable, "-m", "interlock_prediction"], os.environ | self.servers | own
        async with processes.running(command, env=env, folder=CHECKOUT, log=self._log) as pid:
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


def _copies(table: type[Base], key: str, chosen: ColumnElement[bool], count: int) -> Any:
    """Return a statement that adds ``count`` copies of a row, each under a key of its own."""
    names = [each.name for each in table.__table__.columns if each.name not in (key, "seq")]
    one = select(table).where(chosen).limit(1).subquery()
    numbers = func.generate_series(1, count).table_valued("number")
    copies = select(func.gen_random_uuid(), *(one.c[name] for name in names)).select_from(
        one.join(numbers, text("true"))
    )
    return insert(table).from_select([key, *names], copies)


def _traceparents() -> Iterator[str]:
    """Yield what the gateway writes: each request begins a trace, and one in a hundred of them is recorded."""
    for number in itertools.count(1):
        yield f"00-{uuid4().hex}-{uuid4().hex[:16]}-{'01' if number % 100 == 0 else '00'}"


def _asked(prediction_id: UUID, row: Row, traceparent: str) -> aio_pika.Message:
    event = PredictionRequested(prediction_id=prediction_id, model="forest", request_sha256="0" * 64, rows=[row])
    cause = str(uuid4())
    envelope = Envelope.of(event, source="gateway", cause=cause, now=datetime.now(UTC), traceparent=traceparent)
    headers: Any = envelope.headers()
    return aio_pika.Message(
        event.body(), headers=headers, content_type="application/json", message_id=envelope.id, delivery_mode=2
    )


class _Counted:
    """Counts which of the predictions in ``open`` are said to be completed.

    The clocks are read as each number of ``marks`` is reached: whoever waits for that comes later, and late.
    """

    def __init__(self, ids: set[UUID], *, marks: tuple[int, ...]) -> None:
        self.open = ids
        self._left = [len(ids) - mark for mark in marks]
        self._expected: dict[UUID, asyncio.Future[float]] = {}
        self._pid = 0
        self._seen: list[tuple[float, float]] = []

    async def follow(self, channel: aio_pika.abc.AbstractChannel, exchange: aio_pika.abc.AbstractExchange) -> None:
        """Begin to count."""
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange, PredictionCompleted.type)
        await queue.consume(self._one, no_ack=True)

    def expect(self, prediction_id: UUID) -> asyncio.Future[float]:
        """Return when a prediction that is not in ``open`` is said to be completed, by ``perf_counter``."""
        return self._expected.setdefault(prediction_id, asyncio.get_running_loop().create_future())

    async def _one(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        prediction_id = UUID(json.loads(message.body)["prediction_id"])
        if (expected := self._expected.pop(prediction_id, None)) is not None:
            expected.set_result(time.perf_counter())
        before = len(self.open)
        self.open.discard(prediction_id)
        if len(self.open) < before and len(self.open) in self._left:
            self._seen.append((time.perf_counter(), processes.cpu_seconds(self._pid)))

    async def marked(self, pid: int, log: Path) -> list[tuple[float, float]]:
        """Return for each mark when it was reached, and the processor time that ``pid`` had used by then.

        Raises:
            TimeoutError: that took more than 300 seconds.
            RuntimeError: the process has ended; with the end of its log.
        """
        self._pid = pid

        def look() -> bool:
            if not processes.lives(pid):
                raise RuntimeError(f"it ended: …{end_of(log)}")
            return len(self._seen) == len(self._left)

        await until(look, seconds=_SECONDS)
        return self._seen
