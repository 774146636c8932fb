"""A model is deleted: its files are, too, however many there are and whatever is under way with them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from interlock_artifacts import S3Store
from interlock_contracts.datasets import DatasetSubmitted
from interlock_contracts.models import ModelDeleted
from interlock_ingest import collector
from interlock_ingest.store import DatasetRow
from sqlalchemy import select

from tests.integration.ingest.test_deletion import NOW, accepted, keys, rows
from tests.support.ingest_service import Ingest, ingesting

pytestmark = pytest.mark.integration


@pytest.fixture
async def ingest(servers: dict[str, str], tmp_path: Path, bucket: S3Store) -> AsyncIterator[Ingest]:
    """An ingest that deletes at once."""
    async with ingesting(servers, tmp_path, bucket, NOW) as made:
        yield made


async def model_deleted(ingest: Ingest) -> None:
    await ingest.deliver(ModelDeleted(model=ingest.pipeline, versions=[], seq=2, by="ada"))


async def tombstones(ingest: Ingest, pipeline: str) -> list[tuple[str, str | None]]:
    async with ingest.database.sessions() as session:
        found = await session.scalars(select(DatasetRow).where(DatasetRow.pipeline == pipeline))
        return [(row.state, row.deleted_by) for row in found]


async def test_the_files_of_a_deleted_model_go_and_what_another_shares_stays(
    ingest: Ingest, bucket: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepted, refused, waiting for its check, in more steps than one; delivered twice, it is done once."""
    monkeypatch.setattr(collector, "CHUNK", 2)
    empty = set(bucket.list_keys())
    spec, body = ingest.spec(), rows()
    other = f"{ingest.pipeline}-other"
    await ingest.apply(spec.model_copy(update={"name": other}))
    for content in (body, rows(), rows(), rows()):
        await accepted(ingest, content)
    await ingest.upload(b"x,z\n" + rows())
    kept = (await ingest.http.post(f"/datasets/{other}", content=body)).json()["digest"]
    await ingest.worker.validate_files()
    waiting = (await ingest.upload(rows()))["digest"]
    shared = (await ingest.http.get(f"/datasets/{other}/{kept}")).json()

    for _ in range(2):
        await model_deleted(ingest)
        await ingest.collector.run_once()
        await ingest.worker.validate_files()
    left = set(bucket.list_keys()) - empty
    assert set(keys([shared])) <= left
    assert await tombstones(ingest, ingest.pipeline) == [("deleted", "ada")] * 6
    assert [state for state, _ in await tombstones(ingest, other)] == ["accepted"]
    again = await ingest.http.get(f"/datasets/{other}/{kept}")
    assert (again.status_code, again.json()["profile"]) == (200, shared["profile"])

    told = f"model '{ingest.pipeline}' was deleted by ada, with its files"
    for method, path in (("GET", ""), ("POST", ""), ("POST", "?dry_run=true")):
        answer = await ingest.http.request(method, f"/datasets/{ingest.pipeline}{path}", content=body)
        assert (answer.status_code, answer.json()["detail"]) == (410, told)
    assert (await ingest.http.get(f"/datasets/{ingest.pipeline}/{waiting}")).status_code == 410


async def test_a_file_that_was_on_its_way_is_not_taken_in(ingest: Ingest, bucket: S3Store) -> None:
    """One submitted over the bus is refused with the reason; one whose check ends after the deletion goes then."""
    await ingest.deliver(DatasetSubmitted(pipeline=ingest.pipeline, object=f"incoming/{ingest.pipeline}/may.csv"))
    uploaded = await ingest.upload(rows())
    async with ingest.bus.transaction() as checking:  # the check holds the row as long as it lasts
        held = select(DatasetRow).where(DatasetRow.digest == uploaded["digest"]).with_for_update()
        await checking.scalar(held)
        await model_deleted(ingest)
        await ingest.collector.run_once()
        assert await tombstones(ingest, ingest.pipeline) == [("checking", None)]
    await ingest.worker.validate_files()
    await ingest.worker.take_submissions()
    await ingest.collector.run_once()

    assert await tombstones(ingest, ingest.pipeline) == [("deleted", "ada")]
    assert f"sha256/{uploaded['digest'][:2]}/{uploaded['digest']}" not in "".join(bucket.list_keys())
    (refused,) = [body for kind, body in await ingest.published() if kind == "dataset.rejected"]
    assert "was deleted by ada" in refused["reasons"][0]["message"]
