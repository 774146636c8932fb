"""A file that is read again, for a pipeline that has changed."""

import hashlib
from uuid import uuid4

from tests.chaos.deletions import CSV
from tests.chaos.user import eventually
from tests.chaos.world import World
from tests.support.stack_user import csv, pipeline


async def reads_again(world: World) -> None:
    """Apply a pipeline without one of its columns: its file is read again, and told of once more, once."""
    name, file = f"m-{uuid4().hex[:8]}", csv(60, seed=uuid4().int % 2**32)
    spec = pipeline(name)
    await world.user.json("PUT", f"/pipelines/{name}", json=spec)
    await world.user.insist("POST", f"/datasets/{name}", content=file, headers=CSV)
    known = "train_dispatch.dataset where pipeline = :name"
    await eventually(lambda: world.count(known, name=name))
    del spec["data"]["columns"]["color"]
    await world.user.json("PUT", f"/pipelines/{name}", json=spec)

    async def twice() -> bool:
        return bool(await world.count(known, name=name) == 2)

    await eventually(twice)
    assert await world.said("ingest", "dataset.ingested", hashlib.sha256(file).hexdigest()) == 2
