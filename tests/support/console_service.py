"""A console on a real broker and database, and a publisher of events."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import httpx
from interlock_artifacts import MemoryStore
from interlock_console.app import create_app
from interlock_console.settings import ConsoleSettings
from interlock_contracts.evaluation import EvaluationPassed
from interlock_contracts.event import Envelope, Event, run_id
from interlock_contracts.models import ModelPromoted, ModelRegistered, ModelServing
from interlock_contracts.permissions import OBSERVED
from interlock_contracts.training import RetrainRequested, TrainingCompleted, TrainingStarted
from litestar import Litestar

from tests.support.api_keys import KEY, SETTINGS
from tests.support.gateway_app import NOWHERE, listening
from tests.support.queues import purge
from tests.support.waiting import until

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FILE = MemoryStore().put(b"{}")
DIGEST = "d" * 64


class Console:
    """A console, and a publisher of events."""

    def __init__(self, app: Litestar, url: str, exchange: aio_pika.abc.AbstractExchange) -> None:
        self.app = app
        self.url = url
        self.http = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=20)
        self._exchange = exchange

    async def publish(self, event: Event, *, cause: str | None = None, times: int = 1) -> Envelope:
        cause = cause or str(uuid4())
        envelope = Envelope.of(event, source="test", cause=cause, now=datetime.now(UTC), traceparent=TRACEPARENT)
        headers: Any = envelope.headers()
        for _ in range(times):
            message = aio_pika.Message(event.body(), headers=headers, content_type="application/json")
            await self._exchange.publish(message, routing_key=event.type)
        return envelope

    async def ask(self, path: str, **params: Any) -> Any:
        answer = await self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def run(self, run: UUID) -> Any:
        answer = await self.http.get(f"/view/runs/{run}")
        return answer.json() if answer.status_code == 200 else {}

    async def run_in(self, run: UUID, **wanted: Any) -> Any:
        """Return a run once it is as wanted."""

        async def look() -> Any:
            seen = await self.run(run)
            return seen if {name: seen.get(name) for name in wanted} == wanted else None

        return await until(look)

    @asynccontextmanager
    async def listening(self, **params: str) -> AsyncIterator["asyncio.Queue[tuple[str, Any]]"]:
        """Receive the live events as a browser does."""
        received: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        begun = asyncio.Event()

        async def read() -> None:
            kind = ""
            async with self.http.stream("GET", "/view/live", params=params, timeout=60) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                async for line in answer.aiter_lines():
                    begun.set()
                    name, _, value = line.partition(": ")
                    if name == "event":
                        kind = value
                    elif name == "data" and value:
                        received.put_nowait((kind, json.loads(value)))

        task = asyncio.create_task(read())
        try:
            await asyncio.wait_for(begun.wait(), 20)
            yield received
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def console_on(servers: dict[str, str]) -> AsyncIterator[Console]:
    """Yield a console on the servers, with nothing in its queues."""
    given: dict[str, Any] = {
        **SETTINGS,
        "amqp_url": servers["INTERLOCK_AMQP_URL"],
        "postgres_url": servers["INTERLOCK_POSTGRES_URL"],
        "registry_url": NOWHERE,
        "gateway_url": NOWHERE,
    }
    app = create_app(ConsoleSettings(**given))
    await purge(servers["INTERLOCK_AMQP_URL"], OBSERVED)
    async with await aio_pika.connect(servers["INTERLOCK_AMQP_URL"]) as connection:
        exchange = await (await connection.channel()).get_exchange("interlock.events")
        async with listening(app) as url:
            made = Console(app, url, exchange)
            async with made.http:
                yield made


async def trained(
    console: Console,
    model: str,
    *,
    version: int = 1,
    metrics: Mapping[str, float] | None = None,
    tags: Mapping[str, str] | None = None,
    promoted: bool = True,
) -> UUID:
    """Publish all events of one run, up to the first worker's swap unless it waits; return its id."""
    cause = await console.publish(RetrainRequested(model=model, reason="a look", tags=dict(tags) if tags else None))
    run = run_id(cause.id, model)
    files: dict[str, Any] = {"artifact": FILE, "manifest": FILE}
    await console.publish(
        TrainingStarted(run_id=run, model=model, attempt=1, pipeline_digest=DIGEST, datasets=[DIGEST])
    )
    await console.publish(
        TrainingCompleted(run_id=run, model=model, attempt=1, pipeline_digest=DIGEST, datasets=[], **files)
    )
    about: dict[str, Any] = {"model": model, "version": version}
    await console.publish(
        ModelRegistered(run_id=run, **about, **files, pipeline_digest=DIGEST, spec=FILE, holdouts=[FILE])
    )
    await console.publish(EvaluationPassed(run_id=run, **about, report=FILE, reasons=[], metrics=dict(metrics or {})))
    if not promoted:
        return run
    await console.publish(ModelPromoted(run_id=run, **about, **files, promotion_seq=1, cause="gate"))
    await console.publish(ModelServing(**about, worker="w1", promotion_seq=1, load_seconds=0.25))
    return run


async def swapped(console: Console, run: UUID) -> bool:
    """Return whether a worker has swapped to the run's version."""
    lanes = (await console.run(run)).get("lanes", [])
    return any(lane["lane"] == "swap" and lane["steps"] and lane["steps"][0]["end_ns"] for lane in lanes)
