"""Can a model be trained? What the dispatcher answers: unknown, without data, still on its way, yes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

import httpx
import pytest
from interlock_contracts.event import Envelope, run_id
from interlock_contracts.training import RetrainRequested
from interlock_runtime.clients import RegistryClient
from interlock_train_dispatch import routes, runs, store
from interlock_train_dispatch.store import DatasetRow, SpecRow
from pydantic import SecretStr
from sqlalchemy import delete

from tests.support.dispatcher import Dispatcher, answering, dispatching
from tests.support.waiting import until

pytestmark = pytest.mark.integration


class Registry:
    """What the registry says of pipelines; ``asked`` counts the questions, ``away`` lets them fail."""

    def __init__(self) -> None:
        self.pipelines: set[str] = set()
        self.asked: list[str] = []
        self.away = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url.raw_path.decode()))
        if self.away:
            raise httpx.ConnectError("refused")
        name = request.url.path.rpartition("/")[2]
        known = name in self.pipelines
        problem = {"title": "Unknown pipeline", "status": 404, "detail": f"no pipeline is called {name!r}"}
        return httpx.Response(200 if known else 404, json=problem)


class Desk(NamedTuple):
    """The dispatcher's routes, its table, and the registry that it asks."""

    http: httpx.AsyncClient
    dispatcher: Dispatcher
    registry: Registry

    async def ask(self, name: str, **query: str) -> httpx.Response:
        return await self.http.get(f"/models/{name}/trainable", params=query)


@pytest.fixture
async def desk(servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    registry = Registry()
    monkeypatch.setattr(routes, "ARRIVAL_SECONDS", 0.0)
    async with (
        dispatching(servers) as dispatcher,
        httpx.AsyncClient(transport=httpx.MockTransport(registry.answer)) as to,
    ):
        client = RegistryClient("registry", "http://registry", SecretStr("key"), to)
        async with answering(dispatcher, client) as http:
            yield Desk(http, dispatcher, registry)


async def test_who_has_data_can_be_trained_and_nobody_else_is_asked(desk: Desk) -> None:
    """The dispatcher's own table says it."""
    answer = await desk.ask(desk.dispatcher.model)

    assert (answer.status_code, answer.json()) == (200, {"datasets": 1})
    assert not desk.registry.asked


async def test_runs_are_asked_for_by_tag_and_metric(desk: Desk) -> None:
    """Over REST; a metric that there is not is refused with the one that was perhaps meant."""
    run = await desk.dispatcher.request(tags={"team": "pricing"})
    await desk.dispatcher.request()

    [found] = (await desk.http.get("/runs", params={"tag": "team:pricing"})).json()
    assert (found["run_id"], found["tags"], found["metrics"]) == (str(run), {"team": "pricing"}, {})
    assert (await desk.http.get("/runs?metric=r2>=0.9")).json() == []
    refused = await desk.http.get("/runs", params={"metric": "acuracy>=0.9"})
    assert (refused.status_code, "did you mean 'accuracy'?" in refused.json()["detail"]) == (422, True)


async def test_an_unknown_pipeline_is_refused_in_the_registrys_words(desk: Desk) -> None:
    """At once: what the registry does not have is not on its way either."""
    answer = await desk.ask("nobody")

    assert (answer.status_code, answer.json()["title"]) == (404, "Unknown model")
    assert answer.json()["detail"] == "no pipeline is called 'nobody'"


async def test_an_unknown_spec_of_a_pipeline_is_refused(desk: Desk) -> None:
    """A digest is asked for as it is."""
    digest = "e" * 64
    answer = await desk.ask(desk.dispatcher.model, pipeline=digest)

    assert answer.status_code == 404
    assert desk.registry.asked == [f"/pipelines/{desk.dispatcher.model}?digest={digest}"]


@pytest.mark.parametrize("away", [False, True])
async def test_what_has_no_data_is_refused(desk: Desk, away: bool) -> None:
    """Whether the spec is here without a file, or not here, and the registry has it or cannot be asked."""
    desk.registry.away = away
    desk.registry.pipelines.add("early")
    async with desk.dispatcher.bus.transaction() as session:
        await session.execute(delete(DatasetRow))
    answers = [await desk.ask(desk.dispatcher.model), await desk.ask("early")]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert "upload one first" in answers[0].json()["detail"]


async def test_a_spec_and_a_file_on_their_way_are_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Applied, accepted, requested: their events may come here after the request."""
    monkeypatch.setattr(routes, "ARRIVAL_SECONDS", 60.0)
    desk.registry.pipelines.add(desk.dispatcher.model)
    async with desk.dispatcher.bus.transaction() as session:
        await session.execute(delete(DatasetRow))
        await session.execute(delete(SpecRow))
    asking = asyncio.create_task(desk.ask(desk.dispatcher.model))
    await until(lambda: desk.registry.asked)
    async with desk.dispatcher.bus.transaction() as session:
        assert await store.trainable(session, desk.dispatcher.model) is None
    await desk.dispatcher.add_spec()

    assert (await asking).json() == {"datasets": 1}


async def test_a_run_that_was_just_requested_has_a_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway has answered with its id, while its event comes through the bus."""
    monkeypatch.setattr(routes, "ARRIVAL_SECONDS", 60.0)
    event = RetrainRequested(model=desk.dispatcher.model)
    cause = Envelope.of(event, source="test", cause=str(uuid4()), now=datetime.now(UTC))
    page = asyncio.create_task(desk.http.get(f"/runs/{run_id(cause.identity, event.model)}"))
    done, _ = await asyncio.wait([page], timeout=0.3)
    assert not done

    async with desk.dispatcher.bus.transaction() as session:
        await runs.request(session, event.model, cause.identity, trigger="event")

    answer = await page
    assert (answer.status_code, answer.json()["state"]) == (200, "queued")


async def test_a_run_that_can_be_none_of_ours_is_unknown_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of runs follow from their requests, which random ones do not."""
    monkeypatch.setattr(routes, "ARRIVAL_SECONDS", 600.0)
    async with asyncio.timeout(60):
        read = await desk.http.get(f"/runs/{uuid4()}")
        stopped = await desk.http.post(f"/runs/{uuid4()}/cancel")

    assert (read.status_code, stopped.status_code) == (404, 404)
