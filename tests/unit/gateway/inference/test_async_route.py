"""Asking without waiting: what is refused at the door, what is put on the bus, and what a key is good for."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from interlock_contracts.event import Envelope, Event
from interlock_contracts.prediction_bodies import PredictionLinks, PredictionView
from interlock_contracts.predictions import PredictionRequested
from interlock_gateway.inference.async_route import submit_prediction
from interlock_gateway.proxy.upstreams import Upstreams
from interlock_messaging import Bus
from interlock_prediction.batch_routes import predict_file
from interlock_runtime.problems import problem
from interlock_runtime.query_parameters import declared
from litestar import Litestar, get
from litestar.params import FromPath
from litestar.plugins.problem_details import ProblemDetailsPlugin

from tests.support.dependencies import dependency
from tests.support.gateway_app import Door, listening
from tests.support.stored_models import ROW, put_model

DIGEST = "0" * 64


class BusDouble:
    """Takes the place of the bus and keeps what is published; a bus that is down takes nothing."""

    def __init__(self) -> None:
        self.published: list[PredictionRequested] = []
        self.causes: list[str] = []
        self.down = False

    async def publish(self, event: Event, *, cause: str) -> Envelope:
        if self.down or not isinstance(event, PredictionRequested):  # what a worker reports of itself waits
            raise ConnectionError("RabbitMQ refused prediction.requested")
        self.published.append(event)
        self.causes.append(cause)
        return Envelope(id=cause, source="/interlock/gateway", type=event.type)


class Later:
    """A door with a model that serves, a bus, and what the prediction service knows."""

    def __init__(self, door: Door, wire: BusDouble, known: dict[UUID, PredictionView]) -> None:
        self.door = door
        self.wire = wire
        self.known = known

    async def ask(self, body: Any = None, *, model: str = "flights", **headers: str) -> httpx.Response:
        return await self.door.http.post(
            f"/models/{model}/predictions", json={"rows": [ROW]} if body is None else body, headers=headers
        )


@pytest.fixture
async def later(door: Door, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Later]:
    door.behind.pipelines.add("flights")
    door.behind.promote(put_model(door.store, 1), seq=1)
    await door.serves(1)
    known: dict[UUID, PredictionView] = {}

    @get("/predictions/{prediction_id:uuid}")
    async def known_prediction(prediction_id: FromPath[UUID]) -> PredictionView:
        if prediction_id not in known:
            raise problem(404, "Unknown prediction")
        return known[prediction_id]

    wire, prediction = BusDouble(), dependency(door.app, Upstreams).prediction
    monkeypatch.setattr(dependency(door.app, Bus), "publish", wire.publish)
    async with listening(
        Litestar([known_prediction], plugins=[ProblemDetailsPlugin()], openapi_config=None, logging_config=None)
    ) as url:
        monkeypatch.setattr(prediction, "_url", url)
        yield Later(door, wire, known)


async def test_a_request_is_accepted_once_it_is_on_the_bus(later: Later) -> None:
    """The answer says where the result will be."""
    answer = await later.ask({"rows": [ROW], "ttl_seconds": 60, "webhook": {"url": "https://example.org/hook"}})

    assert answer.status_code == 202, answer.text
    (event,) = later.wire.published
    assert answer.headers["Location"] == f"/predictions/{event.prediction_id}"
    assert answer.json()["id"] == str(event.prediction_id)
    assert (event.model, event.rows, event.ttl_seconds) == ("flights", [ROW], 60)
    assert event.webhook is not None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"rows": [{**ROW, "size": "seven"}]}, 422),
        ({"rows": []}, 422),
        ({"rows": [ROW], "webhook": {"url": "ftp://example.org"}}, 422),
        ({"rows": [ROW], "ttl_seconds": 0}, 422),
        ({"rows": [ROW], "colour": 1}, 422),
        ({"rows": [ROW], "webhook": {"url": "https://me:secret@example.org/"}}, 422),
        ({"rows": [ROW], "dataset": DIGEST}, 422),
        ({"dataset": DIGEST, "ttl_seconds": 0}, 422),
    ],
)
async def test_what_can_be_seen_to_be_wrong_is_refused_at_once(later: Later, body: Any, status: int) -> None:
    """Nothing is accepted that is known to fail."""
    answer = await later.ask(body)

    assert answer.status_code == status
    assert not later.wire.published


@pytest.mark.parametrize(("default", "wish"), [("on_error=fail", "on_error=null"), ("log=0", "log=0.1")])
async def test_a_wish_about_whole_files_is_refused_with_rows(later: Later, default: str, wish: str) -> None:
    """It would be ignored, and whoever sent it would wait for answers that never come."""
    path = "/models/flights/predictions"
    assert (await later.door.http.post(f"{path}?{default}", json={"rows": [ROW]})).status_code == 202
    later.wire.published.clear()
    answer = await later.door.http.post(f"{path}?{wish}", json={"rows": [ROW]})

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{wish.partition('=')[0]}: ")
    assert not later.wire.published


def test_every_wish_about_whole_files_comes_through() -> None:
    """The gateway answers the route itself and forwards files: it must not refuse what the service behind takes."""
    assert set(declared(predict_file)) <= set(declared(submit_prediction))


async def test_a_dataset_is_forwarded_with_all_that_is_wanted(later: Later) -> None:
    """By whom its file is answered: webhook and time to live are that service's to keep."""
    wanted = {"dataset": DIGEST, "webhook": {"url": "https://example.org/hook"}, "ttl_seconds": 60}
    answer = await later.door.http.post("/models/flights/predictions?on_error=null&log=0.5", json=wanted)

    assert answer.status_code == 202
    assert answer.json()["query"] == "on_error=null&log=0.5"
    assert answer.json()["bytes"] == len(answer.request.content)
    assert not later.wire.published


async def test_the_openapi_document_has_both_bodies(later: Later) -> None:
    """Rows or a dataset, each with webhook and time to live; or a file."""
    document = (await later.door.http.get("/schema/openapi.json")).json()
    content = document["paths"]["/models/{name}/predictions"]["post"]["requestBody"]["content"]
    schemas = document["components"]["schemas"]
    forms = [each["$ref"].rpartition("/")[2] for each in content["application/json"]["schema"]["oneOf"]]

    assert [sorted(schemas[form]["properties"]) for form in forms] == [
        ["rows", "ttl_seconds", "webhook"],
        ["dataset", "ttl_seconds", "webhook"],
    ]
    assert {"text/csv", "application/x-ndjson", "application/vnd.apache.parquet"} < set(content)


async def test_a_model_that_nobody_knows_is_refused(later: Later) -> None:
    """As for a prediction that somebody waits for."""
    assert (await later.ask(model="no-such-model")).status_code == 404


async def test_nothing_is_accepted_that_the_bus_does_not_take(later: Later) -> None:
    """Down, or full: the client is told to come again, and nothing is lost."""
    later.wire.down = True

    answer = await later.ask()

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


async def test_many_rows_ride_in_the_store(later: Later) -> None:
    """The bus carries a reference to them."""
    answer = await later.ask({"rows": [ROW] * 5000})

    assert answer.status_code == 202
    (event,) = later.wire.published
    assert event.rows is None
    assert event.input is not None
    assert b"green" in later.door.store.fetch(event.input)


async def test_a_key_makes_a_repeat_the_same_prediction(later: Later) -> None:
    """It has the same id on the bus, so a consumer that gets it twice answers it once."""
    headers = {"Idempotency-Key": "k"}
    first, second = await later.ask(**headers), await later.ask(**headers)

    assert first.json()["id"] == second.json()["id"]
    assert len({*later.wire.causes}) == 1


async def test_a_key_that_is_known_is_answered_without_the_bus(later: Later) -> None:
    """The same body is told how far it is; another one is refused in words."""
    headers = {"Idempotency-Key": "known"}
    first = await later.ask(**headers)
    prediction_id = UUID(first.json()["id"])
    later.known[prediction_id] = PredictionView(
        id=prediction_id,
        model="flights",
        state="completed",
        request_sha256=hashlib.sha256(first.request.content).hexdigest(),
        requested_at=datetime.now(UTC),
        links=PredictionLinks.of(prediction_id),
    )

    again, other = await later.ask(**headers), await later.ask({"rows": [{**ROW, "size": 4.0}]}, **headers)

    assert again.json()["state"] == "completed"
    assert other.status_code == 422
    assert "new key" in other.json()["detail"]
    assert len(later.wire.published) == 1
