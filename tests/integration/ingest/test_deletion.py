"""A file is deleted: its row stays, its objects go, and nobody else's. On a real database, and a real bucket."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from interlock_artifacts import S3Store
from interlock_contracts.http import DatasetView
from interlock_ingest import gauges, store
from interlock_ingest.store import DatasetRow
from interlock_ingest.tombstones import GarbageCandidateRow
from sqlalchemy import func, select, update

from tests.support.ingest_service import Ingest, ingesting

pytestmark = pytest.mark.integration

NOW = timedelta(0)


def rows(*, plus: int = 0) -> bytes:
    """Return a file that no other test has."""
    seed = uuid4().int % 10**9
    return b"x,y\n" + b"".join(f"{n + seed},{2 * n}\n".encode() for n in range(50 + plus))


@pytest.fixture
async def ingest(servers: dict[str, str], tmp_path: Path, bucket: S3Store) -> AsyncIterator[Ingest]:
    """An ingest that deletes at once."""
    async with ingesting(servers, tmp_path, bucket, NOW) as made:
        yield made


async def accepted(ingest: Ingest, body: bytes, **params: str) -> str:
    """Bring a file in and return its digest."""
    digest: str = (await ingest.upload(body, params=params))["digest"]
    await ingest.worker.validate_files()
    assert (await ingest.result(digest))["state"] == "accepted"
    return digest


async def deleted(ingest: Ingest, digest: str, pipeline: str | None = None) -> dict[str, Any]:
    answer = await ingest.http.delete(f"/datasets/{pipeline or ingest.pipeline}/{digest}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def garbage_candidates(ingest: Ingest) -> int:
    async with ingest.database.sessions() as session:
        return (await session.scalar(select(func.count()).select_from(GarbageCandidateRow))) or 0


def keys(views: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the keys of what files are made of, their profiles apart."""
    for view in map(DatasetView.model_validate, views):
        yield view.file.key
        if view.dataset is not None:
            yield from (view.dataset.train.key, view.dataset.holdout.key)


async def test_the_bucket_holds_nothing_of_a_deleted_file_and_all_of_the_others(
    ingest: Ingest, bucket: S3Store
) -> None:
    """Parts, profile and the upload itself; what the same file under another pipeline shares stays until that goes."""
    empty = set(bucket.list_keys())
    first, second, refused = rows(), rows(), b"x,z\n" + uuid4().hex.encode()
    other = f"m-{uuid4().hex[:8]}"
    spec = ingest.spec()
    await ingest.apply(spec.model_copy(update={"name": other}))
    digest = await accepted(ingest, first)
    kept = await accepted(ingest, second)
    assert (await ingest.http.post(f"/datasets/{other}", content=first)).status_code == 202
    bad = (await ingest.upload(refused))["digest"]
    await ingest.worker.validate_files()
    before = set(bucket.list_keys())
    stays = [await ingest.result(kept)]
    gone = [await ingest.result(digest), await ingest.result(bad)]
    assert before >= {*keys(stays), *keys(gone)}

    await deleted(ingest, digest)
    await ingest.collector.run_once()
    assert set(bucket.list_keys()) >= before, "the other pipeline has the same file"

    await deleted(ingest, digest, other)
    await deleted(ingest, bad)
    await ingest.collector.run_once()
    left = set(bucket.list_keys())
    assert not left & set(keys(gone))
    assert left >= set(keys(stays))
    assert len(before - left) == 4 + 2, "with its profile: four objects of the accepted file, two of the refused one"
    assert len(left - empty) == 4 + 1, "four of the file that is left, and the other pipeline's spec"
    assert await garbage_candidates(ingest) == 0
    assert (await ingest.result(kept))["profile"]["rows"] == 50


async def test_a_deleted_file_is_told_as_such_and_says_nothing_any_more(ingest: Ingest) -> None:
    """The answer names who deleted it; lists have it only where they ask for it, without what it was called."""
    digest = await accepted(ingest, rows(), file_name="ada.csv", note="from Ada")
    other = await accepted(ingest, rows())
    published = len(await ingest.published())
    first = await deleted(ingest, digest)
    assert await deleted(ingest, digest) == first, "and repeated it says the same"
    assert first["objects_gone_after"] == first["deleted_at"]

    path = f"/datasets/{ingest.pipeline}"
    gone = await ingest.http.get(f"{path}/{digest}")
    assert gone.status_code == 410
    assert f"file {digest} of pipeline '{ingest.pipeline}' was deleted by admin at 20" in gone.json()["detail"]
    assert [each["digest"] for each in (await ingest.http.get(path)).json()] == [other]
    assert (await ingest.http.get(path, params={"text": "ada"})).json() == []
    [told] = (await ingest.http.get(path, params={"state": "deleted"})).json()
    assert (told["digest"], told["state"], told["deleted_by"], told["batch"]) == (digest, "deleted", "admin", 1)
    assert [told[name] for name in ("file_name", "note", "uploaded_by", "dataset")] == [None] * 4

    [(kind, event)] = (await ingest.published())[published:]
    assert (kind, event) == (
        "dataset.deleted",
        {"pipeline": ingest.pipeline, "digest": digest, "batch": 1, "by": "admin"},
    )
    [counted, *_] = await gauges.datasets(ingest.database.sessions)
    [sample] = [each for each in counted.samples if each.labels["pipeline"] == ingest.pipeline]
    assert sample.value == 2, "a counter never falls"


async def test_drift_is_told_against_a_file_that_is_there(ingest: Ingest) -> None:
    """The one before the deleted one."""
    first, between, newest = [await accepted(ingest, rows()) for _ in range(3)]
    assert (await ingest.result(newest))["drift"]["against"] == between
    await deleted(ingest, between)
    await ingest.collector.run_once()
    assert (await ingest.result(newest))["drift"]["against"] == first


async def test_the_same_bytes_come_again_as_a_new_file(ingest: Ingest, bucket: S3Store) -> None:
    """With a number of their own; whether or not the objects were gone by then."""
    body = rows()
    digest = await accepted(ingest, body, file_name="old.csv")
    numbers = []
    for collected in (True, False):
        await deleted(ingest, digest)
        if collected:
            await ingest.collector.run_once()
        assert await accepted(ingest, body, file_name="new.csv") == digest
        await ingest.collector.run_once()
        view = await ingest.result(digest)
        assert set(bucket.list_keys()) >= set(keys([view]))
        assert (view["file_name"], view["deleted_at"], view["profile"]["rows"]) == ("new.csv", None, 50)
        numbers.append(view["batch"])
    assert numbers == [2, 3]
    assert await garbage_candidates(ingest) == 0
    ingested = [event["batch"] for kind, event in await ingest.published() if kind == "dataset.ingested"]
    assert ingested == [1, 2, 3]


async def test_a_file_is_deleted_under_every_spec_and_comes_again_under_one(ingest: Ingest) -> None:
    """What it was under the spec of before stays deleted."""
    body = rows()
    old = ingest.spec().digest
    await accepted(ingest, body)
    await ingest.apply(ingest.spec(min_rows=2), revision=2)
    digest = await accepted(ingest, body)
    await deleted(ingest, digest)
    await ingest.apply(ingest.spec(min_rows=3), revision=3)
    await accepted(ingest, body)

    answer = await ingest.http.get(f"/datasets/{ingest.pipeline}/{digest}", params={"pipeline": old})
    assert answer.status_code == 410
    assert (await ingest.result(digest))["batch"] == 2
    await deleted(ingest, digest)
    assert (await ingest.published())[-1][1]["batch"] == 2


async def test_what_is_checked_or_trained_on_is_not_deleted(ingest: Ingest) -> None:
    """The refusal names the run; without an answer of the dispatcher nothing is deleted either."""
    path = f"/datasets/{ingest.pipeline}"
    digest = (await ingest.upload(rows()))["digest"]
    checked = await ingest.http.delete(f"{path}/{digest}")
    assert (checked.status_code, "is being checked" in checked.json()["detail"]) == (409, True)

    await ingest.worker.validate_files()
    run = {
        "run_id": str(UUID(int=7)),
        "model": ingest.pipeline,
        "state": "running",
        "attempt": 1,
        "pipeline_digest": "a" * 64,
        "datasets": ["b" * 64, digest],
        "cause": "c",
        "created_at": "2026-11-30T08:00:00Z",
    }
    ingest.dispatcher.runs = [run]
    used = await ingest.http.delete(f"{path}/{digest}")
    assert (used.status_code, f"run {run['run_id']} uses" in used.json()["detail"]) == (409, True)
    ingest.dispatcher.runs = None
    assert (await ingest.http.delete(f"{path}/{digest}")).status_code == 503
    assert (await ingest.result(digest))["state"] == "accepted"

    ingest.dispatcher.runs = [run | {"datasets": ["b" * 64]}]
    await deleted(ingest, digest)
    assert (await ingest.http.delete(f"{path}/{'e' * 64}")).status_code == 404
    assert (await ingest.http.delete(f"/datasets/nobody/{digest}")).status_code == 404


async def test_nothing_goes_while_somebody_is_about_to_refer_to_it(ingest: Ingest, bucket: S3Store) -> None:
    """A check that stores parts; the next look finds what is left."""
    digest = await accepted(ingest, rows())
    own = set(keys([await ingest.result(digest)]))
    await deleted(ingest, digest)
    async with ingest.bus.transaction() as session:
        await store.lock_references(session)
        await ingest.collector.run_once()
        assert own <= set(bucket.list_keys())
    await ingest.collector.run_once()
    assert not own & set(bucket.list_keys())


async def test_what_was_stored_within_the_time_of_grace_is_left(ingest: Ingest, bucket: S3Store) -> None:
    """An upload stores the file before its row is there."""
    digest = await accepted(ingest, rows())
    own = set(keys([await ingest.result(digest)]))
    await deleted(ingest, digest)
    ingest.collector.grace = timedelta(hours=1)
    await ingest.collector.run_once()
    async with ingest.bus.transaction() as session:
        await session.execute(update(GarbageCandidateRow).values(since=datetime.now(UTC) - timedelta(hours=2)))
    await ingest.collector.run_once()
    assert own <= set(bucket.list_keys())
    assert await garbage_candidates(ingest) == 4
    ingest.collector.grace = NOW
    await ingest.collector.run_once()
    assert not own & set(bucket.list_keys())


async def test_more_objects_than_one_look_takes_go_all(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look by look, past those that stay."""
    monkeypatch.setattr("interlock_ingest.collector.CHUNK", 3)
    for digest in [await accepted(ingest, rows()) for _ in range(3)]:
        await deleted(ingest, digest)
    assert await garbage_candidates(ingest) == 12
    await ingest.collector.run_once()
    assert await garbage_candidates(ingest) == 0
    async with ingest.database.sessions() as session:
        assert {row.state for row in await session.scalars(select(DatasetRow))} == {"deleted"}
