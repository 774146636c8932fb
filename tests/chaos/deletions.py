"""What a user deletes of models, and how it ends: said once, and all of it gone."""

from functools import partial
from uuid import uuid4

from interlock_contracts.refs import ArtifactRef

from tests.chaos.user import eventually
from tests.chaos.world import World
from tests.support.stack_user import csv

CSV = {"Content-Type": "text/csv"}


async def deletes(world: World) -> None:
    """Delete a version that the gate has refused: said once, and its objects are gone."""
    name = await _refused(world)
    found = await world.first("select artifact from registry.version where model = :name", name=name)
    answer = await world.user.insist("DELETE", f"/models/{name}/versions/1")
    assert answer.is_success, answer.text
    gone = "registry.version where model = :name and objects_deleted_at is not null"
    await eventually(lambda: world.count(gone, name=name))
    assert world.system.store.stored_at(ArtifactRef.model_validate(found).key) is None
    assert await world.said("registry", "model.version_deleted", f'"{name}"') == 1


async def deletes_model(world: World) -> None:
    """Delete a model with a version and a file: said once, kept by everyone, and nothing of it is left."""
    name = await _refused(world)
    version = await world.first("select artifact from registry.version where model = :name", name=name)
    file = await world.first("select file from ingest.dataset where pipeline = :name", name=name)
    await world.user.json("PATCH", f"/models/{name}", json={"archived": True})

    async def accepted() -> bool:
        return (await world.user.insist("DELETE", f"/models/{name}", json={"name": name})).is_success

    await eventually(accepted)
    assert await world.said("registry", "model.deleted", f'"{name}"') == 1
    assert await world.count("registry.audit where action = 'model.deleted' and subject = :it", it=f"model/{name}") == 1
    for done in (
        "registry.version where model = :name and objects_deleted_at is not null",
        "ingest.dataset where pipeline = :name and state = 'deleted'",
        "train_dispatch.archive where model = :name and deleted_by is not null",
        "prediction.deleted_model where model = :name",
        "monitor.deleted_model where model = :name",
    ):
        await eventually(partial(world.count, done, name=name))

    async def gone() -> bool:
        keys = [ArtifactRef.model_validate(each).key for each in (version, file)]
        return all(world.system.store.stored_at(key) is None for key in keys)

    await eventually(gone)
    assert (await world.user.insist("GET", f"/models/{name}")).status_code == 410


async def _refused(world: World) -> str:
    """Return a new model with one version, which the gate has refused."""
    name = await world.user.apply(gate={"metrics": {"r2": {"min": 0.9999}}})
    file = csv(200, seed=uuid4().int % 2**32)  # rows of its own, so that no other version has the same bytes
    await world.user.insist("POST", f"/datasets/{name}", content=file, headers=CSV)
    ready = "train_dispatch.dataset where pipeline = :name"
    await eventually(lambda: world.count(ready, name=name))
    run: str = (await world.user.json("POST", f"/models/{name}/retrain", json={}))["run_id"]
    assert (await world.user.ended(run))["state"] == "refused"
    return name
