"""MlflowClient, unchanged, against gateway, registry and run dispatcher as they are, on a real database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.models import ModelPromoted
from interlock_gateway.app import served
from interlock_messaging import Bus
from interlock_registry import promotion, store
from interlock_registry.app import create_app
from interlock_registry.settings import RegistrySettings
from interlock_registry.store import SpecRow, VersionRow
from interlock_runtime.http import http_app
from interlock_train_dispatch import handlers, mlflow

from tests.clients.environments import make_ready, seen_by
from tests.support.api_keys import KEY, SETTINGS, letting_in
from tests.support.dependencies import dependency
from tests.support.dispatcher import REF, Dispatcher, dispatching
from tests.support.gateway_app import client, gateway, listening
from tests.support.signing import SETTINGS as SIGNING
from tests.support.signing import SIGNER
from tests.support.stored_models import put_model

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


class Place(NamedTuple):
    """A gateway's address, and what is behind it: a model of two versions, and three runs."""

    url: str
    model: str
    runs: Sequence[UUID]


async def trained(dispatcher: Dispatcher, tags: dict[str, str], **manifest: Any) -> UUID:
    """Return a run whose training is over."""
    run = await dispatcher.request(tags=tags, by="ada")
    await dispatcher.steps()
    dispatcher.finish(run, **manifest)
    await dispatcher.steps()
    return run


async def runs_of(dispatcher: Dispatcher) -> list[UUID]:
    """Make three runs: one that is promoted, one that is refused, and one that trains."""
    tags = {"team": "pricing", "a.b/c": "d"}
    forest = await trained(dispatcher, tags, winner="random_forest", params={"n_estimators": 100, "max_features": None})
    about: Any = {"model": dispatcher.model, "version": 1, "run_id": forest}
    async with dispatcher.bus.transaction() as session:
        passed = EvaluationPassed(**about, report=REF, reasons=[], metrics={"r2": 0.9, "rmse": 2.5})
        await handlers.end_run_awaiting_approval(passed, session)
        promoted = ModelPromoted(**about, artifact=REF, manifest=REF, promotion_seq=1, cause="gate")
        await handlers.end_promoted_run(promoted, session)
    linear = await trained(dispatcher, {}, winner="linear", params={"alpha": 0.1})
    about |= {"version": 2, "run_id": linear}
    async with dispatcher.bus.transaction() as session:
        refused = EvaluationFailed(**about, report=REF, reasons=["r2 is too low"], metrics={"r2": 0.7})
        await handlers.end_refused_run(refused, session)
    training = await dispatcher.request()
    await dispatcher.steps()
    return [forest, linear, training]


async def versions_of(bus: Bus, artifacts: MemoryStore, model: str, runs: Sequence[UUID]) -> None:
    """Make two versions, of which the first is promoted."""
    ref = artifacts.put(b"{}").model_dump(mode="json")
    async with bus.transaction() as session:
        spec = {"name": model, "task": "regression", "target": "y", "data": {"columns": {"y": {"type": "number"}}}}
        await store.keep_spec(session, SpecRow(pipeline=model, digest="d" * 64, spec=spec, ref=ref))
        row = await store.lock_model(session, model)
        row.versions, row.description, row.owner, row.tags = 2, "Prices of flights", "ada", {"team": model}
        for number, (stage, r2, reasons) in enumerate(
            [("passed", 0.9, []), ("refused", 0.7, ["r2 is too low"])], start=1
        ):
            version = VersionRow(
                model=model,
                version=number,
                stage=stage,
                run_id=runs[number - 1],
                pipeline_digest="d" * 64,
                artifact=put_model(artifacts, number).artifact.model_dump(mode="json"),
                manifest=ref,
                datasets=[],
                report=ref,
                reasons=reasons,
                metrics={"r2": r2},
                tags={"checked": "yes"} if number == 1 else {},
            )
            session.add(version)
            await session.flush()
            if number == 1:
                await promotion.promote(session, row, version, how="gate", cause=str(uuid4()), signer=SIGNER)


@pytest.fixture(scope="module")
async def place(servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    artifacts = MemoryStore()
    given: dict[str, Any] = {name.removeprefix("INTERLOCK_").lower(): value for name, value in servers.items()}
    registry = create_app(RegistrySettings(**given | SETTINGS | SIGNING), artifacts=artifacts)
    async with AsyncExitStack() as stack:
        dispatcher = await stack.enter_async_context(dispatching(servers))
        runs = await runs_of(dispatcher)
        dispatch = http_app(
            "train_dispatch",
            letting_in(),
            routes=mlflow.ROUTES,
            pings={},
            lifespan=[],
            dependencies={"database": dispatcher.database},
        )
        behind = await stack.enter_async_context(listening(registry))
        runs_at = await stack.enter_async_context(listening(dispatch))
        await versions_of(dependency(registry, Bus), artifacts, dispatcher.model, runs)
        app = gateway(artifacts, tmp_path_factory.mktemp("mlflow"), behind, train_dispatch_url=runs_at)
        yield Place(await stack.enter_async_context(listening(served(app))), dispatcher.model, runs)


@pytest.fixture(scope="module")
async def saw(place: Place) -> dict[str, Any]:
    """Return what MlflowClient reads."""

    def look() -> dict[str, Any]:
        make_ready("mlflow")
        runs = [str(run) for run in place.runs]
        found: dict[str, Any] = seen_by(
            "mlflow", "registry_and_runs.py", key=KEY, url=place.url, model=place.model, runs=runs
        )
        return found

    return await asyncio.to_thread(look)


async def test_registered_models_and_their_aliases(place: Place, saw: dict[str, Any]) -> None:
    """A pipeline is a registered model, and what serves has the aliases champion and production."""
    tags = {"team": place.model, "interlock.owner": "ada"}
    assert saw["registered"] == [place.model, "Prices of flights", tags, {"champion": "1", "production": "1"}]
    assert saw["latest"] == {"Production": "1", "None": "2"}
    assert (saw["latest production"], saw["champion"], saw["production"]) == (["1"], "1", "1")
    assert saw["models"] == [place.model]
    assert place.model in saw["models like"]
    assert saw["models by tag"] == [place.model]
    assert saw["no models"] == []


async def test_versions(place: Place, saw: dict[str, Any]) -> None:
    """Each with its run, its stage and why the gate refused it; found by what MLflow can search for."""
    assert saw["version"] == ["2", str(place.runs[1]), "READY", "r2 is too low", "None", []]
    assert saw["version tags"] == {"interlock.stage": "refused", "interlock.pipeline_digest": "d" * 64}
    assert saw["download"] == f"interlock:/models/{place.model}/versions/2/export"
    assert saw["versions"] == ["2", "1"]
    assert saw["versions of run"] == saw["versions by tag"] == saw["versions by metric"] == ["1"]
    assert saw["versions upwards"] == ["1", "2"]
    assert saw["page of versions"] == [["2"], True]


async def test_runs(place: Place, saw: dict[str, Any]) -> None:
    """What the gate measured, what won with which parameters, and who asked."""
    assert saw["run"] == ["FINISHED", place.model, True]
    assert saw["metrics"] == {"r2": 0.9, "rmse": 2.5}
    assert saw["params"] == {"candidate": "random_forest", "n_estimators": "100", "max_features": "None"}
    assert {name: saw["tags"][name] for name in ("team", "a.b/c", "interlock.version", "interlock.state")} == {
        "team": "pricing",
        "a.b/c": "d",
        "interlock.version": "1",
        "interlock.state": "succeeded",
    }
    assert saw["history"] == [[0.9, 0]]


async def test_experiments(place: Place, saw: dict[str, Any]) -> None:
    """A pipeline is an experiment."""
    assert saw["experiment"] == [place.model, place.model, "active"]
    assert saw["no experiment"] is None
    assert saw["experiments"] == [place.model]
    assert saw["archived experiments"] == []


async def test_searches_of_runs(saw: dict[str, Any]) -> None:
    """Runs by their place: 0 was promoted, 1 refused, 2 trains and has no metrics yet."""
    assert saw["pages"] == [[2, 1], [0], None]
    assert saw["by metric"] == [1, 0]
    assert saw["by two"] == [1]
    assert saw["by param"] == saw["by tag"] == saw["by quoted"] == [0]
    assert saw["by odd"] == [[], [], [], [0], []]
    assert saw["by user"] == [1, 0]
    assert saw["by status"] == [1, 0]
    assert saw["by id"] == [1, 0]
    assert saw["best first"] == [0, 1, 2]
    assert saw["deleted"] == []


async def test_refusals_are_parsed_by_the_client(saw: dict[str, Any]) -> None:
    """With MLflow's codes; what would write says where that is done, and a filter what is possible."""
    refused = saw["refusals"]
    assert {name: each.get("code") for name, each in refused.items()} == {
        **dict.fromkeys(
            ("unknown model", "unknown version", "unknown alias", "unknown run"), "RESOURCE_DOES_NOT_EXIST"
        ),
        **dict.fromkeys(
            ("no version", "unknown filter", "unread filter", "wrong kind", "version filter", "token", "too many"),
            "INVALID_PARAMETER_VALUE",
        ),
        **dict.fromkeys(
            ("create model", "rename model", "delete model", "set alias", "log metric", "create run"),
            "FEATURE_DISABLED",
        ),
    }
    assert not any("not parsed" in each for each in refused.values())
    assert (
        "'colour' is nothing that can be searched for; possible are end_time, run_id, start_time"
        in (refused["unknown filter"]["message"])
    )
    assert 'it cannot be read at "or metrics.r2 < 0.1"' in refused["unread filter"]["message"].replace("'", '"')
    assert "metrics.r2 is compared with a number, not with 'much'" in refused["wrong kind"]["message"]
    assert "version: " in refused["no version"]["message"]
    assert "interlock retrain" in refused["create run"]["message"]


async def test_a_stranger_is_refused_in_mlflows_form(place: Place) -> None:
    """Also where nothing is: nobody without a key learns more than that there is an API."""
    async with client(place.url, key="a-key-that-nobody-made") as stranger:
        answer = await stranger.get("/api/2.0/mlflow/registered-models/search")

    assert answer.status_code == 401
    assert answer.json()["error_code"] == "UNAUTHENTICATED"
