"""Specs as ingest and the dispatcher keep them: the newest is known, in whatever order the events come."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from interlock_contracts.datasets import PipelineApplied
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef
from interlock_ingest import store as ingest
from interlock_runtime.database import Database
from interlock_train_dispatch import store as dispatcher

from tests.support.scratch_database import scratch_database

pytestmark = pytest.mark.integration

COLUMNS = {"zeta": {"type": "number"}, "alpha": {"type": "number"}}
SPEC = Pipeline.model_validate({"name": "m", "task": "regression", "target": "alpha", "data": {"columns": COLUMNS}})
REF = ArtifactRef(sha256="0" * 64, bytes=1)
OLDER, NEWER = "a" * 64, "b" * 64
TABLES = {
    "interlock_ingest": (ingest.SpecRow, {}),
    "interlock_train_dispatch": (dispatcher.SpecRow, {"data_digest": "d"}),
}


def applied(digest: str, revision: int, name: str = "m") -> PipelineApplied:
    return PipelineApplied(pipeline=name, pipeline_digest=digest, spec=REF, revision=revision)


@pytest.fixture(params=TABLES)
async def kept(servers: dict[str, str], request: pytest.FixtureRequest) -> AsyncIterator[tuple[Database, Any, Any]]:
    async with scratch_database(servers, "specs", "interlock_messaging", request.param) as database:
        yield database, *TABLES[request.param]


async def test_the_highest_revision_is_the_newest_however_late_the_others_come(kept: tuple[Database, Any, Any]) -> None:
    """Another pipeline's does not count, and a repeat changes nothing."""
    database, table, columns = kept
    async with database.sessions() as session, session.begin():
        for event in (applied(NEWER, 3), applied(OLDER, 2), applied(NEWER, 1), applied("c" * 64, 9, name="other")):
            await table.keep(session, event, SPEC, **columns)
        assert (await table.find(session, "m")).digest == NEWER
        assert (await table.find(session, "m")).revision == 3
        assert (await table.find(session, "m", OLDER)).revision == 2
        assert await table.find(session, "nobody") is None

        await table.keep(session, applied(OLDER, 4), SPEC, **columns)
        session.expire_all()
        newest = await table.find(session, "m")
    assert (newest.digest, newest.revision) == (OLDER, 4), "applied again"
    assert list(newest.spec["data"]["columns"]) == list(COLUMNS), "in the order in which they are declared"
