"""The console on a real broker and database: what is said is kept, told to whoever looks, and shown as runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import httpx
import pytest
from interlock_artifacts import MemoryStore
from interlock_console.app import create_app
from interlock_console.settings import ConsoleSettings
from interlock_console.sse import EventStream
from interlock_console.store import TicketRow
from interlock_contracts.evaluation import EvaluationPassed
from interlock_contracts.event import Envelope, Event, run_id
from interlock_contracts.models import ModelPromoted, ModelRegistered, ModelServing
from interlock_contracts.permissions import OBSERVED
from interlock_contracts.predictions import PredictionRequested
from interlock_contracts.training import RetrainRequested, TrainingCompleted, TrainingFailed, TrainingStarted
from interlock_runtime.database import Database
from litestar import Litestar
from sqlalchemy import select

from tests.support.api_keys import KEY, SETTINGS
from tests.support.dependencies import dependency
from tests.support.gateway_app import NOWHERE, listening
from tests.support.queues import purge
from tests.support.waiting import until

pytestmark = pytest.mark.integration

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FILE = MemoryStore().put(b"{}")
DIGEST = "d" * 64


class Console:
    """A console, and everybody whom it hears."""

    def __init__(self, app: Litestar, url: str, exchange: aio_pika.abc.AbstractExchange) -> None:
        self.app = app
        self.url = url
        self.http = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=20)
        self._exchange = exchange

    async def say(self, event: Event, *, cause: str | None = None, times: int = 1) -> Envelope:
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
        """Hear the live events as a browser does."""
        heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
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
                        heard.put_nowait((kind, json.loads(value)))

        task = asyncio.create_task(read())
        try:
            await asyncio.wait_for(begun.wait(), 20)
            yield heard
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(scope="module")
async def console(servers: dict[str, str]) -> AsyncIterator[Console]:
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


@pytest.fixture
def model() -> str:
    return f"m-{uuid4().hex[:8]}"


async def trained(console: Console, model: str, *, version: int = 1) -> UUID:
    """Say all that is said about one run, up to the first worker's swap; return its id."""
    cause = await console.say(RetrainRequested(model=model, reason="a look"))
    run = run_id(cause.id, model)
    files: dict[str, Any] = {"artifact": FILE, "manifest": FILE}
    await console.say(TrainingStarted(run_id=run, model=model, attempt=1, pipeline_digest=DIGEST, datasets=[DIGEST]))
    await console.say(
        TrainingCompleted(run_id=run, model=model, attempt=1, pipeline_digest=DIGEST, datasets=[], **files)
    )
    about: dict[str, Any] = {"model": model, "version": version}
    await console.say(ModelRegistered(run_id=run, **about, **files, pipeline_digest=DIGEST, spec=FILE, holdouts=[FILE]))
    await console.say(EvaluationPassed(run_id=run, **about, report=FILE, reasons=[]))
    await console.say(ModelPromoted(run_id=run, **about, **files, promotion_seq=1, cause="gate"))
    await console.say(ModelServing(**about, worker="w1", promotion_seq=1, load_seconds=0.25))
    return run


async def test_a_run_is_followed_from_its_request_to_the_swap(console: Console, model: str) -> None:
    """Each lane has its step, the list has the run, and nothing is open at the end."""
    run = await trained(console, model)
    await until(lambda: _swapped(console, run))

    seen = await console.run_in(run, state="succeeded", outcome="promoted", version=1)
    assert (seen["cause"], seen["reason"], seen["trace_id"]) == ("retrain.requested", None, TRACEPARENT.split("-")[1])
    assert [lane["lane"] for lane in seen["lanes"] if lane["steps"]] == [
        "queue wait", "training", "gate", "promotion", "swap",
    ]  # fmt: skip
    assert seen["open"] == []
    [listed] = (await console.ask("/view/runs", model=model))["runs"]
    assert (listed["run_id"], listed["state"]) == (str(run), "succeeded")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"text": "{part}"}, 1),
        ({"text": "{run}"}, 1),
        ({"text": "%"}, 0),
        ({"state": "queued,succeeded"}, 1),
        ({"state": "failed"}, 0),
        ({"cause": "retrain.requested"}, 1),
        ({"cause": "dataset.ingested"}, 0),
        ({"since": "2020-01-01T00:00:00Z"}, 1),
        ({"since": "2999-01-01T00:00:00Z"}, 0),
    ],
)
async def test_runs_are_filtered(console: Console, model: str, wanted: dict[str, str], found: int) -> None:
    """By a part of the name in any case, the id's beginning, states, trigger and time; a wildcard is a character."""
    run = await trained(console, model)
    await until(lambda: _swapped(console, run))

    asked = {name: value.format(part=model[1:].upper(), run=str(run)[:8]) for name, value in wanted.items()}
    listed = await console.ask("/view/runs", model=model, **asked)

    assert (len(listed["runs"]), listed["total"]) == (found, found)


async def _swapped(console: Console, run: UUID) -> bool:
    lanes = (await console.run(run)).get("lanes", [])
    return any(lane["lane"] == "swap" and lane["steps"] and lane["steps"][0]["end_ns"] for lane in lanes)


async def test_an_event_that_comes_twice_is_kept_once(console: Console, model: str) -> None:
    """The broker delivers at least once; the list does not show it."""
    said = await console.say(RetrainRequested(model=model), times=3)
    await console.say(TrainingFailed(run_id=uuid4(), model=model, outcome="failed", reason="the last"))
    await until(lambda: _last(console, model, "training.failed"))

    events = (await console.ask("/view/events", model=model))["events"]
    assert [event["type"] for event in events] == ["training.failed", "retrain.requested"]
    assert events[1]["id"] == said.id


async def _last(console: Console, model: str, kind: str) -> bool:
    events = (await console.ask("/view/events", model=model, limit=1))["events"]
    return bool(events) and events[0]["type"] == kind


async def test_a_request_that_was_joined_to_another_run_does_not_wait_for_ever(console: Console, model: str) -> None:
    """When the one queued run starts, all that waited with it are part of it."""
    first, second = [await console.say(RetrainRequested(model=model)) for _ in range(2)]
    runs = [run_id(each.id, model) for each in (first, second)]
    await console.run_in(runs[1], state="queued")

    await console.say(TrainingStarted(run_id=runs[0], model=model, attempt=1, pipeline_digest=DIGEST, datasets=[]))

    await console.run_in(runs[1], state="coalesced", into=str(runs[0]))
    assert (await console.run(runs[0]))["state"] == "running"


async def test_whoever_looks_hears_of_an_event_when_it_can_be_asked_for(console: Console, model: str) -> None:
    """Not before: a page that asks at once finds the run as the event tells it."""
    async with console.listening(model=model) as heard:
        cause = await console.say(RetrainRequested(model=model))
        kind, event = await asyncio.wait_for(heard.get(), 20)
        seen = await console.run(run_id(cause.id, model))

    assert (kind, event["id"], event["model"]) == ("retrain.requested", cause.id, model)
    assert seen["state"] == "queued"


async def test_frequent_events_are_shown_while_somebody_looks_and_kept_nowhere(console: Console, model: str) -> None:
    """Without the rows that they are about."""
    asked = PredictionRequested(prediction_id=uuid4(), model=model, request_sha256=DIGEST, rows=[{"secret": "x"}])
    async with console.listening(type="prediction.requested", model=model) as heard:
        await console.say(asked)
        kind, event = await asyncio.wait_for(heard.get(), 20)
    await console.say(RetrainRequested(model=model))
    await until(lambda: _last(console, model, "retrain.requested"))

    assert kind == "prediction.requested"
    assert event["data"]["prediction_id"] == str(asked.prediction_id)
    assert "rows" not in event["data"]
    assert "secret" not in json.dumps(event)
    assert len((await console.ask("/view/events", model=model))["events"]) == 1


async def test_whoever_looks_hears_which_traces_have_new_spans(console: Console) -> None:
    """So that an open trace can be read again, at most twice a second."""
    async with console.listening(type="model.promoted") as heard:
        for trace_ids in (["a" * 32, "b" * 32], ["a" * 32]):
            dependency(console.app, EventStream).note_new_spans(trace_ids)

        assert await asyncio.wait_for(heard.get(), 20) == ("spans", {"trace_ids": ["a" * 32, "b" * 32]})


async def test_a_list_goes_on_where_it_stopped(console: Console, model: str) -> None:
    """Page by page, each event once."""
    said = [await console.say(RetrainRequested(model=model)) for _ in range(5)]
    await until(lambda: _seen(console, model, 5))
    first = await console.ask("/view/events", model=model, limit=3)
    rest = await console.ask("/view/events", model=model, limit=3, before=first["before"])

    assert [event["id"] for event in first["events"] + rest["events"]] == [each.id for each in reversed(said)]
    assert "before" not in rest or rest["before"] is None


async def _seen(console: Console, model: str, count: int) -> bool:
    return len((await console.ask("/view/events", model=model))["events"]) == count


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/view/events", {"type": "no.such"}),
        ("/view/events", {"limit": 0}),
        ("/view/events", {"run": "nobody"}),
        ("/view/events", {"before": 2**63}),
        ("/view/runs", {"before": "yesterday"}),
        ("/view/runs", {"before": "2026-01-31T12:00:00"}),
        ("/view/runs", {"since": "2026-01-31T12:00:00"}),
        ("/view/runs", {"state": "done"}),
        ("/view/live", {"type": "training"}),
    ],
)
async def test_what_cannot_be_asked_is_a_problem_that_names_it(
    console: Console, path: str, params: dict[str, Any]
) -> None:
    """Never an error of ours."""
    answer = await console.http.get(path, params=params)

    assert answer.status_code == 400
    assert next(iter(params)) in answer.text


async def test_an_unknown_run_may_be_one_that_is_still_on_its_way(console: Console) -> None:
    """So the answer says when to come again."""
    answer = await console.http.get(f"/view/runs/{uuid4()}")

    assert (answer.status_code, answer.headers["retry-after"]) == (404, "1")


async def test_a_ticket_opens_one_session_once(console: Console) -> None:
    """Who reads the database finds neither the ticket nor the key."""
    made = await console.http.post("/session/tickets", json={"to": "/runs/abc?x=1"})
    address = httpx.URL(made.json()["address"])
    ticket = address.params["ticket"]
    async with dependency(console.app, Database).sessions() as session:
        kept = b"".join(row.hash.encode() + row.sealed for row in await session.scalars(select(TicketRow)))

    async with httpx.AsyncClient(base_url=console.url) as browser:
        entered = await browser.post("/session/enter", json={"ticket": ticket})
        mine = await browser.get("/session")
        again = await browser.post("/session/enter", json={"ticket": ticket})

    assert (address.path, address.params["to"]) == ("/enter", "/runs/abc?x=1")
    assert kept
    assert ticket.encode() not in kept
    assert KEY.encode() not in kept
    assert (entered.status_code, mine.json()["name"], again.status_code) == (200, "admin", 401)


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "runs", "/a b"])
async def test_a_ticket_leads_to_our_own_pages_only(console: Console, to: str) -> None:
    """Whoever makes somebody click on it must not choose where they end up."""
    answer = await console.http.post("/session/tickets", json={"to": to})

    assert answer.status_code == 400
    assert "to" in answer.text
