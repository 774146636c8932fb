"""Asking for a training run: what is refused at the door, and what a client can rely on."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.event import Envelope, Event, event_id, run_id
from interlock_contracts.training import RetrainRequested
from interlock_messaging import Bus
from litestar import Litestar

from tests.support.dependencies import dependency
from tests.support.gateway_app import NOWHERE, Door, client, gateway, listening


class BusDouble:
    """Takes the place of the bus in the routes and keeps what is published."""

    def __init__(self) -> None:
        self.published: list[Event] = []

    async def publish(self, event: Event, *, cause: str) -> Envelope:
        if not isinstance(event, RetrainRequested):  # what a worker reports of itself waits
            raise ConnectionError("RabbitMQ is down")
        self.published.append(event)
        name = str(event_id(cause, event.type, event.subject))
        return Envelope(id=name, source="/interlock/gateway", type=event.type, causationid=cause)


def wired(app: Litestar, monkeypatch: pytest.MonkeyPatch) -> BusDouble:
    double = BusDouble()
    monkeypatch.setattr(dependency(app, Bus), "publish", double.publish)
    return double


@pytest.fixture
def open_door(door: Door, monkeypatch: pytest.MonkeyPatch) -> tuple[Door, BusDouble]:
    door.behind.pipelines.add("flights")
    door.behind.trainable.add("flights")
    return door, wired(door.app, monkeypatch)


async def retrain(door: Door, name: str = "flights", key: str | None = None, **body: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await door.http.post(f"/models/{name}/retrain", json=body, headers=headers)


async def test_the_answer_names_the_run_before_the_dispatcher_has_seen_it(
    open_door: tuple[Door, BusDouble],
) -> None:
    """The run's id follows from the event's id, so there is nothing to wait for."""
    door, wire = open_door
    answer = await retrain(door, reason="drift", key="k")
    (event,) = wire.published

    assert event == RetrainRequested(model="flights", reason="drift", by="admin")
    assert answer.status_code == 202
    run = answer.json()["run_id"]
    assert answer.headers["location"] == answer.json()["run"] == f"/runs/{run}"
    assert str(run_id(str(event_id("x", event.type, event.subject)), "flights")) != run


async def test_a_run_is_asked_for_with_tags(open_door: tuple[Door, BusDouble]) -> None:
    """As they are; the event tells them to whoever keeps runs."""
    door, wire = open_door
    tags = {"team": "pricing", "audited": ""}

    assert (await retrain(door, tags=tags)).status_code == 202
    assert wire.published == [RetrainRequested(model="flights", by="admin", tags=tags)]


@pytest.mark.parametrize(
    "tags",
    [{"a b": ""}, {"team": "x,y"}, {"team": "x\ny"}, {"team": "x" * 201}, {str(number): "" for number in range(51)}],
)
async def test_a_tag_that_no_run_could_be_found_by_is_refused(
    open_door: tuple[Door, BusDouble], tags: dict[str, str]
) -> None:
    """With the field; no run comes of it."""
    door, wire = open_door
    answer = await retrain(door, tags=tags)

    assert (answer.status_code, wire.published) == (400, [])
    assert "tags" in answer.text


async def test_a_body_is_not_needed(open_door: tuple[Door, BusDouble]) -> None:
    """`curl -X POST` is enough."""
    door, wire = open_door
    answer = await door.http.post("/models/flights/retrain")

    assert answer.status_code == 202
    assert wire.published == [RetrainRequested(model="flights", by="admin")]


async def test_a_repeat_with_the_same_key_is_the_same_run(open_door: tuple[Door, BusDouble]) -> None:
    """A client that got no answer retries; without a key each request is one of its own."""
    door, _ = open_door
    keyed = {(await retrain(door, key="once")).json()["run_id"] for _ in range(3)}
    plain = {(await retrain(door)).json()["run_id"] for _ in range(3)}

    assert len(keyed) == 1
    assert len(plain) == 3


@pytest.mark.parametrize("name", ["unknown", "Not-A-Name", "a b"])
async def test_an_unknown_model_is_refused(open_door: tuple[Door, BusDouble], name: str) -> None:
    """Better now than by a failed run later."""
    door, wire = open_door

    assert (await retrain(door, name)).status_code == 404
    assert not wire.published


async def test_a_model_without_data_is_refused(open_door: tuple[Door, BusDouble]) -> None:
    """There is nothing to train on; the dispatcher knows, and says why."""
    door, wire = open_door
    door.behind.trainable.clear()
    answer = await retrain(door)

    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["title"], answer.json()["status"]) == ("Nothing to train on", 409)
    assert "upload" in answer.json()["detail"]
    assert not wire.published


async def test_the_spec_that_the_request_names_is_asked_about(open_door: tuple[Door, BusDouble]) -> None:
    """Another spec may have other data, or none."""
    door, wire = open_door
    digest = "d" * 64

    assert (await retrain(door, pipeline=digest)).status_code == 202
    assert {"query": f"pipeline={digest}"} in door.behind.asked
    assert wire.published == [RetrainRequested(model="flights", pipeline=digest, by="admin")]


@pytest.mark.parametrize("body", [{"resaon": "typo"}, {"dataset": "not a digest"}])
async def test_a_wrong_body_is_refused(open_door: tuple[Door, BusDouble], body: dict[str, str]) -> None:
    """A misspelt field would silently be no field."""
    door, wire = open_door
    answer = await door.http.post("/models/flights/retrain", json=body)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert next(iter(body)) in answer.text
    assert not wire.published


async def test_the_services_behind_need_not_be_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the dispatcher cannot be asked, it is left to it: it consumes the event when it is back."""
    app = gateway(MemoryStore(), tmp_path, NOWHERE)
    async with listening(app) as url, client(url) as http:
        wire = wired(app, monkeypatch)
        assert (await http.post("/models/flights/retrain")).status_code == 202
    assert wire.published


async def test_without_the_bus_nothing_is_promised(door: Door) -> None:
    """202 would be a lie."""
    door.behind.pipelines.add("flights")
    door.behind.trainable.add("flights")
    answer = await retrain(door)

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
