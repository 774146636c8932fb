"""A version is deleted: its row stays, its objects go, and nobody else's. On a real database, and a real bucket."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from interlock_artifacts import S3Store
from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.manifest import TrainedOn, TrainingManifest
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.training import TrainingCompleted
from interlock_messaging.tables import OutboxRow
from interlock_registry.store import VersionRow
from interlock_runtime.database import Database
from sqlalchemy import select

from tests.integration.registry.test_keys import Office, opened
from tests.integration.registry.test_promotion import DATASET, Registry
from tests.support.dependencies import dependency
from tests.support.gateway_process import store_of
from tests.support.waiting import until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def store(servers: dict[str, str]) -> S3Store:
    return store_of(servers)


@pytest.fixture(scope="module")
async def office(servers: dict[str, str], store: S3Store) -> AsyncIterator[Office]:
    """A registry that deletes at once."""
    async with opened(servers, artifacts=store, deletion_grace_seconds=0) as made:
        yield made


class Trained:
    """Versions of one model, with their objects; those of one ``engine`` and ``words`` are the same bytes."""

    def __init__(self, office: Office, store: Any, registry: Registry) -> None:
        self.office, self.store, self.registry = office, store, registry
        self.path = f"/models/{registry.model}/versions"

    def stored(self, engine: str, words: str) -> tuple[ArtifactRef, ArtifactRef, ArtifactRef]:
        """Store a model, and a manifest of its own; return both, and the engine."""
        binary = self.store.put(f"{self.registry.model} {engine}".encode())
        described = {"words": words, "engine": {"ref": binary.model_dump(mode="json")}}
        artifact = self.store.put(json.dumps(described).encode())
        self.hashes = self.store.put(uuid4().bytes)
        manifest = TrainingManifest(
            status="succeeded",
            run_id=uuid4(),
            artifact=artifact,
            trained_on=TrainedOn(hashes=self.hashes, columns={"a": "number"}),
        )
        return artifact, self.store.put(manifest.model_dump_json().encode()), binary

    def completed(self, artifact: ArtifactRef, manifest: ArtifactRef) -> TrainingCompleted:
        return TrainingCompleted(
            run_id=uuid4(),
            model=self.registry.model,
            attempt=1,
            pipeline_digest=self.registry.digest,
            manifest=manifest,
            artifact=artifact,
            datasets=[DATASET],
        )

    async def train(self, engine: str, words: str, *, reports: int = 1) -> list[str]:
        """Register a version that the gate refuses, after ``reports`` reports; return its objects' keys."""
        artifact, manifest, binary = self.stored(engine, words)
        hashes = self.hashes
        await self.registry.deliver(self.completed(artifact, manifest))
        number = await self.newest()
        found = [self.store.put(f'{{"report": "{uuid4()}"}}'.encode()) for _ in range(reports)]
        for report in found[:-1]:
            passed = self.registry.passed(number, 99).model_copy(update={"report": report})
            await self.registry.deliver(passed)  # against a champion that never was, so the gate is asked again
        await self.registry.deliver(self.verdict(EvaluationFailed, number, found[-1]))
        return [each.key for each in (artifact, binary, manifest, hashes, *found)]

    def verdict(self, kind: type[Any], number: int, report: ArtifactRef, against: int | None = None) -> Any:
        return kind(
            model=self.registry.model, version=number, run_id=uuid4(), against=against, report=report, reasons=["r2"]
        )

    async def newest(self) -> int:
        return max(await self.registry.stages())

    async def serve(self, engine: str, words: str) -> list[str]:
        """Register a version that the gate promotes; return its objects' keys."""
        artifact, manifest, binary = self.stored(engine, words)
        await self.registry.deliver(self.completed(artifact, manifest))
        report = self.store.put(f'{{"report": "{uuid4()}"}}'.encode())
        champion, _ = await self.registry.champion()
        await self.registry.deliver(self.verdict(EvaluationPassed, await self.newest(), report, champion))
        return [each.key for each in (artifact, binary, manifest, report)]

    async def collected(self, number: int) -> None:
        """Wait until the objects of a deleted version are gone."""

        async def look() -> object:
            async with self.registry.database.sessions() as session:
                return (await session.get_one(VersionRow, (self.registry.model, number))).objects_deleted_at

        await until(look)


@pytest.fixture
async def trained(servers: dict[str, str], office: Office, store: S3Store) -> Trained:
    registry = Registry(servers)
    registry.database = dependency(office.app, Database)
    await registry.keep_spec()
    return Trained(office, store, registry)


async def test_the_bucket_holds_nothing_of_a_deleted_version_and_all_of_the_others(
    trained: Trained, office: Office, store: S3Store
) -> None:
    """Shared whole, or the engine alone, an object stays; also the reports that a later one has replaced are gone."""
    gone = await trained.train("a", "first", reports=3)
    serving = await trained.serve("b", "second")
    same = await trained.train("b", "second")
    described_anew = await trained.train("b", "other words")
    before = set(store.list_keys())
    assert before >= {*gone, *serving, *same, *described_anew}

    for number in (1, 3, 4):
        answer = await office.admin.delete(f"{trained.path}/{number}")
        assert answer.status_code == 200, answer.text
        await trained.collected(number)

    # The description and the engine of 3, and the engine of 4, are those of 2 as well.
    assert before - set(store.list_keys()) == {*gone, *same, *described_anew} - set(serving)
    assert len({*gone, *same, *described_anew} - set(serving)) == 7 + 3 + 4


async def test_what_was_stored_for_a_version_to_come_is_left(trained: Trained, office: Office, store: S3Store) -> None:
    """After a deletion the same model may be trained again: it is stored anew, and served."""
    keys = await trained.train("a", "first")
    await office.admin.delete(f"{trained.path}/1")
    await trained.collected(1)
    assert not set(keys) & set(store.list_keys())

    assert (await trained.serve("a", "first"))[:2] == keys[:2]
    assert set(keys[:2]) <= set(store.list_keys())
    assert (await office.admin.get(f"/models/{trained.registry.model}")).json()["serving"]["ref"]["version"] == 2


async def test_a_deleted_version_is_told_as_such_and_never_serves_again(trained: Trained, office: Office) -> None:
    """Its number stays taken, its promotions stay history, and the answer names who deleted it, and when."""
    for engine in ("a", "b", "c"):
        await trained.serve(engine, engine)
    name, admin = await office.make("admin")
    async with admin:
        first = await admin.delete(f"{trained.path}/2")
        again = await office.admin.delete(f"{trained.path}/2")
    assert (first.status_code, first.json()["deleted_by"]) == (200, name)
    assert again.json() == first.json()
    await trained.collected(2)

    model = f"/models/{trained.registry.model}"
    told = f"version 2 of '{trained.registry.model}' was deleted by {name} at 20"
    for method, path, status in (
        ("GET", f"{trained.path}/2", 410),
        ("PATCH", f"{trained.path}/2", 410),
        ("GET", f"{model}/compare?a=1&b=2", 410),
        ("GET", f"{trained.path}/2/export", 410),
        ("GET", f"{trained.path}/2/export/engine", 410),
        ("POST", f"{trained.path}/2/approve", 409),
        ("POST", f"{model}/rollback", 409),
    ):
        body = {"PATCH": {}, "POST": {"version": 2}}.get(method)
        answer = await office.admin.request(method, path, json=body)
        assert (answer.status_code, told in answer.json()["detail"]) == (status, True), (path, answer.text)

    assert [each["version"] for each in (await office.admin.get(trained.path)).json()] == [3, 1]
    assert [each["version"] for each in (await office.admin.get(f"{model}/promotions")).json()] == [3, 2, 1]
    back = await office.admin.post(f"{model}/rollback", json={})
    assert back.json()["version"] == 1, "the one before the deleted one"
    await trained.serve("b", "b")
    assert (await office.admin.get(trained.path)).json()[0]["version"] == 4

    entries = await office.entries(action="version.deleted", subject=f"model/{trained.registry.model}/2")
    assert [each.by for each in entries] == [name]
    async with trained.registry.database.sessions() as session:
        query = select(OutboxRow.payload).where(OutboxRow.type == "model.version_deleted")
        published = [json.loads(each) for each in await session.scalars(query)]
    mine = [(each["version"], each["by"]) for each in published if each["model"] == trained.registry.model]
    assert mine == [(2, name)]


async def test_what_serves_or_waits_is_not_deleted(trained: Trained, office: Office) -> None:
    """The refusal names what it is; so does one for want of a version or of the scope."""
    await trained.serve("a", "a")
    artifact, manifest, _ = trained.stored("b", "b")
    await trained.registry.deliver(trained.completed(artifact, manifest))
    for number, told in ((1, "serves; roll back"), (2, "is being measured by the gate")):
        refused = await office.admin.delete(f"{trained.path}/{number}")
        assert (refused.status_code, told in refused.json()["detail"]) == (409, True), refused.text
    await trained.registry.archive()
    await trained.registry.deliver(trained.registry.passed(2, 1))
    waits = await office.admin.delete(f"{trained.path}/2")
    _, decider = await office.make("promote")
    async with decider:
        forbidden = await decider.delete(f"{trained.path}/2")

    assert (waits.status_code, "waits for an approval" in waits.text) == (409, True)
    assert forbidden.status_code == 403
    assert (await office.admin.delete(f"{trained.path}/9")).status_code == 404
    assert (await office.admin.delete("/models/nobody/versions/1")).status_code == 404
    assert await trained.registry.stages() == {1: "champion", 2: "passed"}
