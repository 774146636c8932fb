"""The console on a real broker and database: events are stored, pushed to listeners, and shown as runs."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from interlock_console.sse import EventStream
from interlock_console.store import TicketRow
from interlock_contracts.event import run_id
from interlock_contracts.predictions import PredictionRequested
from interlock_contracts.training import RetrainRequested, TrainingFailed
from interlock_runtime.database import Database
from sqlalchemy import select

from tests.support.api_keys import KEY
from tests.support.console_service import DIGEST, Console
from tests.support.dependencies import dependency
from tests.support.waiting import until

pytestmark = pytest.mark.integration


async def test_an_event_that_comes_twice_is_kept_once(console: Console, model: str) -> None:
    """The broker delivers at least once; the list does not show it."""
    published = await console.publish(RetrainRequested(model=model), times=3)
    await console.publish(TrainingFailed(run_id=uuid4(), model=model, outcome="failed", reason="the last"))
    await until(lambda: _last(console, model, "training.failed"))

    events = (await console.ask("/view/events", model=model))["events"]
    assert [event["type"] for event in events] == ["training.failed", "retrain.requested"]
    assert events[1]["id"] == published.id


async def _last(console: Console, model: str, kind: str) -> bool:
    events = (await console.ask("/view/events", model=model, limit=1))["events"]
    return bool(events) and events[0]["type"] == kind


async def test_a_page_is_notified_of_an_event_once_it_can_be_read(console: Console, model: str) -> None:
    """Not before: a page that asks at once finds the run as the event tells it."""
    async with console.listening(model=model) as received:
        cause = await console.publish(RetrainRequested(model=model))
        kind, event = await asyncio.wait_for(received.get(), 20)
        seen = await console.run(run_id(cause.id, model))

    assert (kind, event["id"], event["model"]) == ("retrain.requested", cause.id, model)
    assert seen["state"] == "queued"


async def test_frequent_events_are_shown_while_somebody_looks_and_kept_nowhere(console: Console, model: str) -> None:
    """Without the rows that they are about."""
    asked = PredictionRequested(prediction_id=uuid4(), model=model, request_sha256=DIGEST, rows=[{"secret": "x"}])
    async with console.listening(type="prediction.requested", model=model) as received:
        await console.publish(asked)
        kind, event = await asyncio.wait_for(received.get(), 20)
    await console.publish(RetrainRequested(model=model))
    await until(lambda: _last(console, model, "retrain.requested"))

    assert kind == "prediction.requested"
    assert event["data"]["prediction_id"] == str(asked.prediction_id)
    assert "rows" not in event["data"]
    assert "secret" not in json.dumps(event)
    assert len((await console.ask("/view/events", model=model))["events"]) == 1


async def test_a_page_is_notified_which_traces_have_new_spans(console: Console) -> None:
    """So that an open trace can be read again, at most twice a second."""
    async with console.listening(type="model.promoted") as received:
        for trace_ids in (["a" * 32, "b" * 32], ["a" * 32]):
            dependency(console.app, EventStream).note_new_spans(trace_ids)

        assert await asyncio.wait_for(received.get(), 20) == ("spans", {"trace_ids": ["a" * 32, "b" * 32]})


async def test_a_list_goes_on_where_it_stopped(console: Console, model: str) -> None:
    """Page by page, each event once."""
    published = [await console.publish(RetrainRequested(model=model)) for _ in range(5)]
    await until(lambda: _seen(console, model, 5))
    first = await console.ask("/view/events", model=model, limit=3)
    rest = await console.ask("/view/events", model=model, limit=3, before=first["before"])

    assert [event["id"] for event in first["events"] + rest["events"]] == [each.id for each in reversed(published)]
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
