"""A gateway as it is run: a parent with worker processes, real RabbitMQ and S3, and the registry's part played here."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import httpx
from interlock_artifacts import S3Store
from interlock_artifacts.signing import Signer
from interlock_contracts.catalog import BY_TYPE
from interlock_contracts.event import Envelope, Event
from interlock_contracts.models import ModelPromoted
from interlock_contracts.refs import ModelRef

from tests.benchmarks.serving import processes
from tests.support.api_keys import SETTINGS
from tests.support.gateway_app import Behind, bound, client, listening
from tests.support.last_release import Release
from tests.support.signing import PUBLIC, SIGNER, signed
from tests.support.waiting import until


class Gateway:
    """One running gateway; ``url`` is its address, ``behind`` what registry and dispatcher say."""

    def __init__(self, url: str, behind: Behind, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.url = url
        self.behind = behind
        self.process = process
        self._folder = folder
        self.grpc = ""  # set where it has a port for gRPC

    def spans(self) -> list[dict[str, Any]]:
        """Return the spans that its processes have written."""
        files = (self._folder / "spans").glob("*.jsonl")
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask over a new connection, so that any of the workers may answer."""
        async with client(self.url) as http:
            return await http.request(method, path, **options)

    async def workers(self) -> dict[str, dict[str, int | None]]:
        """Return what each worker serves, after asking often enough to have met them all."""
        views = await self._views()
        return {view["worker"]: {each["name"]: each["version"] for each in view["models"]} for view in views}

    async def _views(self) -> list[dict[str, Any]]:
        try:
            return [(await self.ask("GET", "/serving")).json() for _ in range(12)]
        except httpx.TransportError:
            return []

    async def is_subscribed(self) -> bool:
        """Return whether both workers consume promotions."""
        return len({view["worker"] for view in await self._views() if view["hears"]}) == 2

    async def ready(self) -> bool:
        """Return whether it says that it is ready."""
        try:
            return (await self.ask("GET", "/health/ready", timeout=1)).is_success
        except httpx.TransportError:
            return False

    def children(self) -> list[int]:
        """Return the process ids of its workers."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(each) for each in found if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]


def _started(env: dict[str, str], release: Release | None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "interlock_gateway"]
    if release:
        command = release.command("interlock_gateway")
    return subprocess.Popen(command, env=env, start_new_session=True)


def running(servers: dict[str, str], folder: Path, **settings: str) -> AbstractAsyncContextManager[Gateway]:
    """Run a gateway with two workers; ``settings`` are further INTERLOCK_ variables, in lower case."""
    return _running(servers, folder, settings, None)


def running_release(servers: dict[str, str], folder: Path, release: Release) -> AbstractAsyncContextManager[Gateway]:
    """Run the gateway of another release in the same way."""
    return _running(servers, folder, {}, release)


@asynccontextmanager
async def _running(
    servers: dict[str, str], folder: Path, settings: Mapping[str, str], release: Release | None
) -> AsyncIterator[Gateway]:
    behind = Behind()
    async with listening(behind.app()) as address:
        sock = bound()
        port = sock.getsockname()[1]
        sock.close()
        own = {
            "host": "127.0.0.1",
            "port": str(port),
            **SETTINGS,
            "registry_url": address,
            "ingest_url": address,
            "train_dispatch_url": address,
            "prediction_url": address,
            "monitor_url": address,
            "cache_dir": str(folder / "models"),
            "signing_public_key": PUBLIC,
            "spans_dir": str(folder / "spans"),
            "gateway_reconcile_seconds": "600",  # what these tests see came by events, unless they wish otherwise
            **settings,
        }
        env = os.environ | servers | {f"INTERLOCK_{name.upper()}": value for name, value in own.items()}
        process = _started(env, release)
        gateway = Gateway(f"http://127.0.0.1:{port}", behind, process, folder)
        try:
            yield gateway
        finally:
            try:
                await processes.stop(process, 30)
            finally:
                processes.kill_session(process.pid)


def store_of(servers: dict[str, str]) -> S3Store:
    """Return the object store that the gateway reads."""
    return S3Store(
        servers["INTERLOCK_S3_ENDPOINT"],
        servers["INTERLOCK_S3_ACCESS_KEY"],
        servers["INTERLOCK_S3_SECRET_KEY"],
        servers["INTERLOCK_S3_BUCKET"],
    )


class ModelEvents:
    """An AMQP client: consumes the events of one model, and publishes what the registry would."""

    def __init__(self, exchange: aio_pika.abc.AbstractExchange, model: str) -> None:
        self.model = model
        self.received: list[tuple[Envelope, Event]] = []
        self._exchange = exchange

    async def receive(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        envelope, data = Envelope.parse(message.headers, message.body, message.content_type)
        event = BY_TYPE[envelope.type].event.model_validate(data)
        if getattr(event, "model", None) == self.model:
            self.received.append((envelope, event))

    async def promote(self, ref: ModelRef, seq: int, traceparent: str | None = None, *, by: Signer = SIGNER) -> None:
        event = ModelPromoted(**ref.model_dump(), promotion_seq=seq, cause="gate", signed=signed(ref, seq, by))
        await self.publish(event, traceparent)

    async def publish(self, event: Event, traceparent: str | None = None) -> None:
        envelope = Envelope.of(
            event, source="registry", cause=str(uuid4()), now=datetime.now(UTC), traceparent=traceparent
        )
        headers: Any = envelope.headers()
        message = aio_pika.Message(event.body(), headers=headers, content_type="application/json")
        await self._exchange.publish(message, routing_key=event.type)

    def workers(self, event_type: str, seq: int) -> set[str]:
        """Return which workers have published an event of this type about a promotion."""
        published: list[Any] = [event for envelope, event in self.received if envelope.type == event_type]
        return {event.worker for event in published if event.promotion_seq == seq}

    async def all_serve(self, seq: int) -> None:
        await until(lambda: len(self.workers("model.serving", seq)) == 2)


@asynccontextmanager
async def model_events(url: str, model: str) -> AsyncIterator[ModelEvents]:
    """Consume what is published about ``model``."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange("interlock.events", aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(exclusive=True)
        received = ModelEvents(exchange, model)
        for event_type in ("model.serving", "model.load_failed", "retrain.requested"):
            await queue.bind(exchange, event_type)
        await queue.consume(received.receive, no_ack=True)
        yield received
