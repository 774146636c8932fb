"""Replicas of prediction as they are run, on real RabbitMQ, Postgres and S3; gateway and registry are played here."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import httpx
from interlock_artifacts import ArtifactStore
from interlock_contracts.catalog import BY_TYPE
from interlock_contracts.event import Envelope, Event
from interlock_contracts.http import ServingView
from interlock_contracts.models import ModelPromoted
from interlock_contracts.predictions import PredictionLogged, PredictionRequested, Webhook
from interlock_contracts.refs import ModelRef
from litestar import Litestar, get

from tests.benchmarks.serving import processes
from tests.support import signing
from tests.support.api_keys import SETTINGS
from tests.support.gateway_app import bound, client, listening
from tests.support.gateway_process import store_of
from tests.support.signing import PUBLIC, signed
from tests.support.stored_models import ROW, put_model
from tests.support.waiting import until

NOBODY_LOOKS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


class Replica:
    """One process, which may be killed and started again at the same address."""

    def __init__(self, env: dict[str, str]) -> None:
        sock = bound()
        self.port = sock.getsockname()[1]
        sock.close()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = env | {"INTERLOCK_PORT": str(self.port)}
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "interlock_prediction"], env=self._env, start_new_session=True
        )
        return self.process

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        await processes.stop(self.process, 20, number)

    async def end(self) -> None:
        """Stop it, and leave nothing of it behind."""
        try:
            await self.stop()
        finally:
            processes.kill_session(self.process.pid)

    async def ready(self) -> bool:
        try:
            async with client(self.url) as http:
                return (await http.get("/health/ready")).is_success
        except httpx.TransportError:
            return False


class Predictions:
    """Replicas, an AMQP client that publishes as the gateway does and consumes their events, and what serves."""

    def __init__(self, store: ArtifactStore, replicas: list[Replica], exchange: aio_pika.abc.AbstractExchange) -> None:
        self.store = store
        self.replicas = replicas
        self.served: dict[str, ModelRef] = {}
        self.published: list[Event] = []
        self.exchange = exchange

    def serve(self, model: str, version: int = 1) -> None:
        """Let a model serve whose answers are ``1000 * version + size``."""
        self.served[model] = put_model(self.store, version, model=model)

    async def ask(
        self, model: str, rows: Any = None, *, prediction_id: UUID | None = None, n: int = 0, **fields: Any
    ) -> UUID:
        """Put a request on the bus, as the gateway does; ``n`` tells apart requests that share an id."""
        prediction_id = prediction_id or uuid4()
        if (url := fields.pop("webhook", None)) is not None:
            fields["webhook"] = Webhook(url=url)
        if "input" not in fields:
            fields["rows"] = [ROW] if rows is None else rows
        digest = hashlib.sha256(str((rows, n)).encode()).hexdigest()
        event = PredictionRequested(prediction_id=prediction_id, model=model, request_sha256=digest, **fields)
        now = datetime.now(UTC)
        envelope = Envelope.of(event, source="gateway", cause=digest, now=now, n=n, traceparent=NOBODY_LOOKS)
        await self._publish(event, envelope)
        return prediction_id

    async def promote(self, model: str, version: int) -> None:
        """Let another version serve, and say so as the registry does."""
        self.serve(model, version)
        ref = self.served[model]
        event = ModelPromoted(**ref.model_dump(), promotion_seq=version, cause="gate", signed=signed(ref, version))
        await self._publish(event, Envelope.of(event, source="registry", cause=str(uuid4()), now=datetime.now(UTC)))

    async def _publish(self, event: Event, envelope: Envelope) -> None:
        headers: Any = envelope.headers()
        message = aio_pika.Message(
            event.body(), headers=headers, content_type="application/json", message_id=envelope.id, delivery_mode=2
        )
        await self.exchange.publish(message, routing_key=event.type)

    async def receive(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        envelope, data = Envelope.parse(message.headers, message.body, message.content_type)
        self.published.append(BY_TYPE[envelope.type].event.model_validate(data))

    def events(self, prediction_id: UUID) -> list[Any]:
        """Return what was published about a prediction."""
        return [event for event in self.published if getattr(event, "prediction_id", None) == prediction_id]

    @property
    def logged(self) -> list[PredictionLogged]:
        """Return what was published for the prediction log."""
        return [event for event in self.published if isinstance(event, PredictionLogged)]

    async def read(self, prediction_id: UUID, replica: int = 0) -> httpx.Response:
        return await self.http("GET", f"/predictions/{prediction_id}", replica)

    async def http(self, method: str, path: str, replica: int = 0, **options: Any) -> httpx.Response:
        async with client(self.replicas[replica].url) as http:
            return await http.request(method, path, **options)

    async def ended(self, prediction_id: UUID, replica: int = 0, seconds: float = 20) -> dict[str, Any]:
        """Wait for the end of a prediction and return what a client sees."""

        async def look() -> Any:
            answer = await self.read(prediction_id, replica)
            return answer.json() if answer.is_success and answer.json()["ended_at"] else None

        found: dict[str, Any] = await until(look, seconds=seconds)
        return found


@asynccontextmanager
async def running(
    servers: dict[str, str], folder: Path, *, replicas: int = 2, **settings: str
) -> AsyncIterator[Predictions]:
    """Run replicas; ``settings`` are further INTERLOCK_ variables, in lower case."""
    known: list[Predictions] = []

    @get("/serving")
    async def serving() -> list[ServingView]:
        refs = known[0].served.values() if known else []
        return [signing.serving(ref, ref.version) for ref in refs]

    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(
            listening(Litestar([serving], openapi_config=None, logging_config=None))
        )
        own = {
            "host": "127.0.0.1",
            **SETTINGS,
            "registry_url": address,
            "ingest_url": address,
            "cache_dir": str(folder / "models"),
            "signing_public_key": PUBLIC,
        }
        own |= {"webhook_private": "true", **settings}
        env = os.environ | servers | {f"INTERLOCK_{name.upper()}": value for name, value in own.items()}
        started: list[Replica] = []
        for _ in range(replicas):
            started.append(Replica(env))
            stack.push_async_callback(started[-1].end)
        connection = await stack.enter_async_context(await aio_pika.connect(servers["INTERLOCK_AMQP_URL"]))
        channel = await connection.channel()
        exchange = await channel.declare_exchange("interlock.events", "topic", durable=True)
        predictions = Predictions(store_of(servers), started, exchange)
        known.append(predictions)
        received = await channel.declare_queue(exclusive=True)
        for event_type in ("prediction.completed", "prediction.failed", "prediction.logged"):
            await received.bind(exchange, event_type)
        await received.consume(predictions.receive, no_ack=True)
        for each in started:
            await until(each.ready, seconds=60)
        yield predictions
