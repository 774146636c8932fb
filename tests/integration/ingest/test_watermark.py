"""The first accepted file of a pipeline sets its watermark, for good, on a real broker and database."""

import asyncio
from uuid import uuid4

import pytest
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import DatasetRef
from interlock_ingest.watermark import WatermarkRow

from tests.support.ingest_service import Ingest

pytestmark = pytest.mark.integration


def by_time(ingest: Ingest, **holdout: object) -> Pipeline:
    declared = ingest.spec().model_dump(mode="json")
    declared["data"]["columns"]["at"] = {"type": "datetime", "role": "time"}
    declared["data"]["holdout"] = {"by": "time", "watermark": "first_file", **holdout}
    return Pipeline.model_validate(declared)


def days(start: int, end: int) -> bytes:
    return b"x,y,at\n" + b"".join(
        f"{n},{2 * n},2026-{1 + n // 28:02}-{1 + n % 28:02}\n".encode() for n in range(start, end)
    )


async def sides(ingest: Ingest, content: bytes) -> tuple[int, int]:
    view = await ingest.upload(content)
    await ingest.worker.validate_files()
    return await rows_of(ingest, view["digest"])


async def rows_of(ingest: Ingest, digest: str) -> tuple[int, int]:
    dataset = DatasetRef.model_validate((await ingest.result(digest))["dataset"])
    return dataset.train_rows, dataset.holdout_rows


async def test_the_first_accepted_file_sets_the_watermark_and_later_specs_keep_it(ingest: Ingest) -> None:
    """A late file and a longer one are cut there too; a declared moment counts where there is one, and then no more."""
    ingest.pipeline = f"m-{uuid4().hex[:8]}"
    await ingest.apply(by_time(ingest))
    same = b"x,y,at\n" + b"1,1,2026-01-01\n" * 20
    view = await ingest.upload(same)
    await ingest.worker.validate_files()
    assert (await ingest.result(view["digest"]))["state"] == "rejected"

    assert await sides(ingest, days(0, 50)) == (40, 10)
    assert await sides(ingest, days(0, 60)) == (40, 20)
    assert await sides(ingest, days(0, 30)) == (30, 0)
    await ingest.apply(by_time(ingest, fraction=0.5), revision=2)
    assert await sides(ingest, days(20, 70)) == (20, 30)
    await ingest.apply(by_time(ingest, watermark="2026-01-11"), revision=3)
    assert await sides(ingest, days(1, 50)) == (9, 40)
    await ingest.apply(by_time(ingest), revision=4)
    assert await sides(ingest, days(2, 50)) == (38, 10)


async def test_files_that_are_checked_side_by_side_are_cut_at_one_moment(ingest: Ingest) -> None:
    """Whichever comes first: the others are cut once more, where it was."""
    ingest.pipeline = f"m-{uuid4().hex[:8]}"
    await ingest.apply(by_time(ingest))
    views = [await ingest.upload(days(start, start + 50)) for start in (0, 10, 20)]
    await asyncio.gather(*(ingest.worker.validate_files() for _ in views))

    async with ingest.database.sessions() as session:
        first = await session.get_one(WatermarkRow, ingest.pipeline)
    found = {view["digest"]: await rows_of(ingest, view["digest"]) for view in views}
    assert found[first.digest] == (40, 10)
    cut = {view["digest"]: start for view, start in zip(views, (0, 10, 20), strict=True)}[first.digest] + 40
    for view, start in zip(views, (0, 10, 20), strict=True):
        assert found[view["digest"]] == (min(cut - start, 50), max(50 - (cut - start), 0))
