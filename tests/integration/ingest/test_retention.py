"""Files past what the pipeline file declares go by themselves. On a real database, and a real bucket."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from interlock_artifacts import S3Store
from interlock_contracts.pipeline import Pipeline
from interlock_ingest import retention
from interlock_ingest.retention import DatasetRetention
from interlock_ingest.store import DatasetRow
from sqlalchemy import update

from tests.integration.ingest.test_deletion import NOW, accepted, keys, rows
from tests.support.ingest_service import Ingest, ingesting

pytestmark = pytest.mark.integration


@pytest.fixture
async def ingest(servers: dict[str, str], tmp_path: Path, bucket: S3Store) -> AsyncIterator[Ingest]:
    """An ingest that deletes at once."""
    async with ingesting(servers, tmp_path, bucket, NOW) as made:
        yield made


def replica(ingest: Ingest) -> DatasetRetention:
    return DatasetRetention(ingest.bus, ingest.registry.client, ingest.dispatcher.client, ingest.collector.woken)


async def declare(ingest: Ingest, **keep: float) -> None:
    declared = ingest.spec().model_dump() | {"training": {"window": 2}, "retention": {"datasets": keep}}
    await ingest.apply(Pipeline.model_validate(declared), revision=2)


async def age(ingest: Ingest, days: int) -> None:
    """Let all files have been received so long ago."""
    async with ingest.database.sessions() as session, session.begin():
        at = datetime.now(UTC) - timedelta(days=days)
        mine = DatasetRow.pipeline == ingest.pipeline
        await session.execute(update(DatasetRow).where(mine).values(received_at=at))


async def due(ingest: Ingest, **params: Any) -> dict[str, str | None]:
    answer = await ingest.http.get(f"/datasets/{ingest.pipeline}/retention", params=params)
    assert answer.status_code == 200, answer.text
    return {each["digest"]: each["kept_because"] for each in answer.json()}


async def there(ingest: Ingest) -> list[str]:
    return [each["digest"] for each in (await ingest.http.get(f"/datasets/{ingest.pipeline}")).json()]


async def test_files_past_their_retention_go_with_their_objects_and_the_others_stay(
    ingest: Ingest, bucket: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the same way as a person's deletion: once, whichever replica is first, and in as many chunks as it takes."""
    monkeypatch.setattr(retention, "CHUNK", 2)
    gone = [await accepted(ingest, rows(plus=number)) for number in range(3)]
    refused = (await ingest.upload(b"x,z\n1,2\n"))["digest"]
    await ingest.worker.validate_files()
    held, read = [await accepted(ingest, rows(plus=number)) for number in (3, 4)]
    await age(ingest, 400)
    new = await accepted(ingest, rows(plus=5))
    ingest.dispatcher.unused = [*gone, held]
    ingest.registry.versions = [{"version": 7, "datasets": [held], "evaluation": None}]
    views = {digest: await ingest.result(digest) for digest in (*gone, refused, held, read, new)}
    published = len(await ingest.published())

    assert await due(ingest) == {}, "nothing is declared"
    tried = await due(ingest, keep_days=365, window="2")
    assert ingest.dispatcher.windows == ["2"]
    await declare(ingest, keep_days=365)
    assert await due(ingest) == tried
    assert list(tried) == [*gone, refused, held, read]
    assert {digest: why for digest, why in tried.items() if why} == {
        held: "was used for version 7",
        read: "is read by a training, now or by the next one's window, or its model is archived",
    }

    await asyncio.gather(replica(ingest).run_once(), replica(ingest).run_once())
    await ingest.collector.run_once()
    assert await there(ingest) == [new, read, held]
    left = set(bucket.list_keys())
    assert not left & set(keys([views[digest] for digest in (*gone, refused)]))
    assert left >= set(keys([views[digest] for digest in (held, read, new)]))

    events = [event for kind, event in (await ingest.published())[published:] if kind == "dataset.deleted"]
    assert sorted(event["digest"] for event in events) == sorted([*gone, refused])
    assert {event["by"] for event in events} == {"pipeline/retention"}
    told = await ingest.http.get(f"/datasets/{ingest.pipeline}/{gone[0]}")
    assert (told.status_code, "was deleted by pipeline/retention at 20" in told.text) == (410, True)


async def test_nothing_goes_while_nobody_knows_what_is_in_use(ingest: Ingest) -> None:
    """Registry or dispatcher may be away; a look says that it has to be tried again."""
    old = await accepted(ingest, rows())
    await accepted(ingest, rows())
    await age(ingest, 10)
    await declare(ingest, keep_last=1)
    ingest.dispatcher.unused = [old]

    runs, ingest.dispatcher.runs = ingest.dispatcher.runs, None
    await replica(ingest).run_once()
    assert len(await there(ingest)) == 2
    assert (await ingest.http.get(f"/datasets/{ingest.pipeline}/retention")).status_code == 503
    ingest.dispatcher.runs, ingest.registry.away = runs, True
    await replica(ingest).run_once()
    assert len(await there(ingest)) == 2
    ingest.registry.away = False
    await DatasetRetention(ingest.bus, ingest.registry.client, None, ingest.collector.woken).run_once()
    assert len(await there(ingest)) == 2

    await replica(ingest).run_once()
    assert old not in await there(ingest)


async def test_what_would_go_is_asked_of_a_pipeline_that_there_is(ingest: Ingest) -> None:
    """And of something that can be meant."""
    unknown = await ingest.http.get("/datasets/nobody/retention")
    slip = await ingest.http.get(f"/datasets/{ingest.pipeline}/retention", params={"keep_last": 1, "window": "newest"})
    assert unknown.status_code == 404
    assert (slip.status_code, "window: 'newest' is neither all, nor latest" in slip.text) == (400, True)
