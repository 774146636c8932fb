"""A model is deleted with all its versions: tombstones stay, objects go, and nobody else's. On real servers."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from interlock_artifacts import S3Store
from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.models import ModelDeleted, RollbackRequested
from interlock_messaging import PoisonError
from interlock_messaging.tables import OutboxRow
from interlock_registry.collector import Collector
from interlock_registry.store import ModelRow, VersionRow
from interlock_runtime.database import Database
from litestar import Litestar, get
from litestar.params import FromQuery
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from tests.integration.registry.test_deletion import Trained
from tests.integration.registry.test_keys import SPEC, Office, opened
from tests.integration.registry.test_promotion import Registry
from tests.support.api_keys import KEY
from tests.support.dependencies import dependency
from tests.support.gateway_app import listening
from tests.support.gateway_process import store_of

pytestmark = pytest.mark.integration

RUNS: dict[str, list[dict[str, Any]]] = {}
"""What the dispatcher says of the runs of a model that have not ended."""


@pytest.fixture(scope="module")
def store(servers: dict[str, str]) -> S3Store:
    return store_of(servers)


@pytest.fixture(scope="module")
async def office(servers: dict[str, str], store: S3Store) -> AsyncIterator[Office]:
    """A registry that deletes at once, and asks a dispatcher about runs."""

    @get("/runs")
    async def runs(model: FromQuery[str]) -> list[dict[str, Any]]:
        return RUNS.get(model, [])

    dispatcher = Litestar([runs], openapi_config=None, logging_config=None)
    async with (
        listening(dispatcher) as url,
        opened(servers, artifacts=store, deletion_grace_seconds=0, train_dispatch_url=url, service_key=KEY) as made,
    ):
        yield made


async def model_of(servers: dict[str, str], office: Office, store: S3Store) -> Trained:
    registry = Registry(servers)
    registry.database = dependency(office.app, Database)
    await registry.keep_spec()
    return Trained(office, store, registry)


@pytest.fixture
async def trained(servers: dict[str, str], office: Office, store: S3Store) -> Trained:
    return await model_of(servers, office, store)


async def delete(trained: Trained, *, status: int = 200, **body: Any) -> dict[str, Any]:
    name = trained.registry.model
    answer = await trained.office.admin.request("DELETE", f"/models/{name}", json={"name": name} | body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def archive(trained: Trained) -> None:
    answer = await trained.office.admin.patch(f"/models/{trained.registry.model}", json={"archived": True})
    assert answer.status_code == 200, answer.text


async def published(trained: Trained) -> list[ModelDeleted]:
    async with trained.registry.database.sessions() as session:
        payloads = await session.scalars(select(OutboxRow.payload).where(OutboxRow.type == ModelDeleted.type))
        events = [ModelDeleted.model_validate_json(each) for each in payloads]
    return [each for each in events if each.model == trained.registry.model]


async def test_the_bucket_holds_nothing_of_a_deleted_model_and_all_of_the_others(
    trained: Trained, office: Office, store: S3Store, servers: dict[str, str]
) -> None:
    """What serves, what is refused, and what waits: all of it goes, but for what another model shares."""
    other = await model_of(servers, office, store)
    own = other.registry.model
    refused, serves = await trained.train("a", "first", reports=2), await trained.serve("b", "second")
    kept = await other.serve("c", "third")
    # The same bytes as the other model's, and one that waits for an approval.
    shared, _, _ = other.stored("c", "third")
    await trained.registry.deliver(trained.completed(shared, trained.stored("d", "fourth")[1]))
    await archive(trained)
    await trained.registry.deliver(trained.registry.passed(3, 2))
    before = set(store.list_keys())
    assert before >= {*refused, *serves, *kept}

    await delete(trained)
    for number in (1, 2, 3):
        await trained.collected(number)
    left = set(store.list_keys())
    assert not left & {*refused, *serves}
    assert left >= set(kept)
    answer = await office.admin.get(f"/models/{own}")
    assert answer.json()["serving"]["ref"]["artifact"]["sha256"] == shared.sha256


async def test_a_deleted_model_is_told_as_such_and_its_name_is_not_given_again(
    trained: Trained, office: Office
) -> None:
    """Every route says who deleted it and when; lists leave it out; requested twice, it is done once."""
    name = trained.registry.model
    model = f"/models/{name}"
    await office.admin.patch(model, json={"description": "of Ada's trips", "tags": {"team": "x"}, "owner": "ada"})
    for engine in ("a", "b"):
        await trained.serve(engine, engine)
    await archive(trained)
    who, admin = await office.make("admin")
    async with admin:
        first = await admin.request("DELETE", model, json={"name": name, "reason": "replaced"})
    again = await delete(trained, reason="another")
    assert first.json() == again
    assert (again["deleted_by"], again["versions"], again["reason"]) == (who, 2, "replaced")

    told = f"was deleted by {who} at 20"
    spec = {"name": name, **SPEC}
    for method, path, body in (
        ("GET", model, None),
        ("PATCH", model, {"archived": False}),
        ("GET", f"{model}/versions", None),
        ("GET", f"{model}/versions/2", None),
        ("GET", f"{model}/versions/9", None),
        ("PATCH", f"{model}/versions/2", {}),
        ("GET", f"{model}/versions/2/export", None),
        ("GET", f"{model}/versions/2/export/engine", None),
        ("GET", f"{model}/compare?a=1&b=2", None),
        ("GET", f"{model}/promotions", None),
        ("GET", f"{model}/rollout", None),
        ("POST", f"{model}/versions/2/approve", None),
        ("POST", f"{model}/rollback", {"version": 1}),
        ("GET", f"/pipelines/{name}", None),
        ("PUT", f"/pipelines/{name}", spec),
    ):
        answer = await office.admin.request(method, path, json=body)
        assert (answer.status_code, told in answer.json()["detail"]) == (410, True), (method, path, answer.text)
    assert "choose another name" in answer.json()["detail"]

    for path in ("/models", "/models?archived=true", "/pipelines"):
        assert name not in {each["name"] for each in (await office.admin.get(path)).json()}
    # Workers that were away must learn it: nothing is withdrawn because it is not mentioned.
    serving = {each["ref"]["model"]: each["archived"] for each in (await office.admin.get("/serving")).json()}
    assert serving[name] is True
    [event] = await published(trained)
    assert ([each.version for each in event.versions], event.seq, event.by, event.reason) == (
        [1, 2],
        2,
        who,
        "replaced",
    )
    [entry] = await office.entries(action="model.deleted", subject=f"model/{name}")
    assert (entry.by, entry.details) == (who, {"versions": 2, "reason": "replaced"})
    async with trained.registry.database.sessions() as session:
        row = await session.get_one(ModelRow, name)
        assert (row.description, row.owner, row.tags) == (None, None, {})


async def test_what_is_in_use_is_not_deleted_and_the_refusal_says_what_to_do(trained: Trained, office: Office) -> None:
    """Archived first, its runs ended, and the name repeated, by an admin; else nothing is changed."""
    name = trained.registry.model
    await trained.serve("a", "a")
    assert "archive it first" in (await delete(trained, status=409))["detail"]
    await archive(trained)
    assert "repeat" in (await delete(trained, status=422, name="another"))["detail"]
    unnamed = await office.admin.request("DELETE", f"/models/{name}", json={"name": name, "force": True})
    assert unnamed.status_code in (400, 422)
    assert (await office.admin.request("DELETE", f"/models/{name}")).status_code in (400, 422)
    run = {
        "run_id": str(uuid4()),
        "model": name,
        "state": "running",
        "attempt": 1,
        "pipeline_digest": "0" * 64,
        "cause": "c",
        "created_at": "2026-11-30T08:00:00Z",
    }
    RUNS[name] = [run]
    assert f"run {run['run_id']} of '{name}' is running; cancel it" in (await delete(trained, status=409))["detail"]
    RUNS[name] = []
    _, decider = await office.make("promote", "train", "ingest", "read", "predict")
    async with decider:
        assert (await decider.request("DELETE", f"/models/{name}", json={"name": name})).status_code == 403
    nobody = await office.admin.request("DELETE", "/models/nobody", json={"name": "nobody"})
    assert nobody.status_code == 404

    assert await trained.registry.stages() == {1: "champion"}
    assert not await published(trained)
    await delete(trained)


async def test_what_comes_late_is_deleted_too(trained: Trained, office: Office, store: S3Store) -> None:
    """A training that ends, and verdicts, that were on their way: nothing is served, and their objects go."""
    registry = trained.registry
    await trained.serve("a", "a")
    for engine in ("b", "c"):  # being measured by the gate
        artifact, manifest, _ = trained.stored(engine, engine)
        await registry.deliver(trained.completed(artifact, manifest))
    await archive(trained)
    await delete(trained)
    for number in (1, 2, 3):
        await trained.collected(number)

    artifact, manifest, binary = trained.stored("d", "d")
    completed = trained.completed(artifact, manifest)
    collector = dependency(office.app, Collector)
    for _ in range(2):
        await registry.deliver(completed)
    await collector.run_once()
    assert not {artifact.key, manifest.key, binary.key} & set(store.list_keys())
    for number, verdict in ((2, EvaluationPassed), (3, EvaluationFailed)):
        report = store.put(f'{{"report": "{uuid4()}"}}'.encode())
        await registry.deliver(trained.verdict(verdict, number, report, 1))
        await collector.run_once()
        assert report.key not in store.list_keys()
    with pytest.raises(PoisonError, match="is archived"):
        await registry.deliver(RollbackRequested(model=registry.model, version=1))

    assert (await registry.champion())[1] == 1
    async with registry.database.sessions() as session:
        rows = (await session.scalars(select(VersionRow).where(VersionRow.model == registry.model))).all()
        payloads = await session.scalars(select(OutboxRow.payload).where(OutboxRow.type == "model.registered"))
        asked = [each for each in map(json.loads, payloads) if each["model"] == registry.model]
    assert {row.version: row.deleted_by is not None for row in rows} == dict.fromkeys((1, 2, 3, 4), True)
    assert {each["version"] for each in asked} == {1, 2, 3}, "the gate was not asked about the late one"


async def test_the_database_keeps_a_deleted_model_as_it_was(trained: Trained) -> None:
    """Whoever holds the registry's credentials brings none back, and deletes nothing that serves without its model."""
    await trained.serve("a", "a")
    mine = ModelRow.name == trained.registry.model
    serving = update(VersionRow).where(VersionRow.model == trained.registry.model)
    unarchived = update(ModelRow).where(mine)

    async def refused(statement: Any) -> None:
        async with trained.registry.database.sessions() as session:
            with pytest.raises(IntegrityError):
                await session.execute(statement)

    await refused(serving.values(deleted_at=func.now(), deleted_by="mallory"))
    await refused(unarchived.values(deleted_at=func.now(), deleted_by="mallory"))
    await archive(trained)
    await delete(trained)
    for change in ({"deleted_at": None}, {"archived_at": None}, {"deleted_by": "mallory"}):
        await refused(update(ModelRow).where(mine).values(**change))
    await refused(serving.values(deleted_at=None))
