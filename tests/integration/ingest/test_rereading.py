"""Stored files are read again for a pipeline whose columns have changed, on a real broker and database."""

from pathlib import Path
from typing import Any

import pytest
from interlock_contracts.pipeline import Pipeline
from interlock_ingest import rereading
from interlock_ingest.store import DatasetRow
from sqlalchemy import select

from tests.support.ingest_service import Ingest

pytestmark = pytest.mark.integration


def with_column(ingest: Ingest, name: str, **training: Any) -> Pipeline:
    declared = ingest.spec().model_dump(mode="json")
    declared["data"]["columns"][name] = {"type": "number"}
    declared["data"]["identity"] = ["x"]
    declared["training"] |= training
    return Pipeline.model_validate(declared)


def table(start: int, *more: str) -> bytes:
    header = ",".join(["x", "y", *more])
    lines = [",".join([str(n), str(2 * n), *(str(n % 7) for _ in more)]) for n in range(start, start + 50)]
    return "\n".join([header, *lines, ""]).encode()


async def stored(ingest: Ingest, *contents: bytes) -> list[str]:
    views = [await ingest.upload(content) for content in contents]
    await ingest.worker.validate_files()
    return [view["digest"] for view in views]


async def told(ingest: Ingest, digest: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what was published of files under a spec."""
    found = [each for each in await ingest.published() if each[1].get("pipeline_digest") == digest]
    return [(kind, body) for kind, body in found if kind.startswith("dataset.")]


async def test_stored_files_are_read_again_and_told_of_together(ingest: Ingest) -> None:
    """Each with what became of it: read, refused for want of the column, or no longer kept."""
    first = await stored(ingest, table(0, "z"), table(50), table(100, "z"), table(150, "z"))
    before = {digest: await ingest.result(digest) for digest in first}
    gone = before[first[2]]
    ingest.artifacts.delete(Path(f"holdout/sha256/{gone['digest'][:2]}/{gone['digest']}").as_posix())
    digest = await ingest.apply(with_column(ingest, "z"), revision=2)
    assert {(await ingest.result(each))["state"] for each in first} == {"checking"}
    await ingest.worker.validate_files()  # not theirs: what comes meanwhile does not wait behind them
    assert {(await ingest.result(each))["state"] for each in first} == {"checking"}
    await ingest.worker.read_again()

    results = [await ingest.result(each) for each in first]
    assert [each["state"] for each in results] == ["accepted", "rejected", "rejected", "accepted"]
    assert all(each["read_again"] for each in results)
    assert results[1]["reasons"][0]["message"].startswith("declared column 'z' is not in the file")
    assert "no longer kept" in results[2]["reasons"][0]["message"]
    assert [each["batch"] for each in results] == [before[first[0]]["batch"], None, None, before[first[3]]["batch"]]
    events = await told(ingest, digest)
    accepted = [body for kind, body in events if kind == "dataset.ingested"]
    assert sorted(kind for kind, _ in events) == ["dataset.ingested"] * 2 + ["dataset.rejected"] * 2
    assert [each["dataset"]["digest"] for each in accepted] == [first[0], first[3]]
    assert [each["read_again"] for each in accepted] == [True, True]
    assert [each["last_of"] for each in accepted] == [[], [first[0], first[3]]]

    # once more, as after a crash or a second delivery, and with a spec of the same rows: nothing
    await ingest.arrive(with_column(ingest, "z"), revision=2)
    await ingest.apply(with_column(ingest, "z", seed=7, window=2), revision=3)
    await ingest.worker.read_again()
    assert await told(ingest, digest) == events
    # and who uploads what was lost has it again
    await stored(ingest, table(100, "z"))


async def test_a_row_keeps_its_side_when_a_column_is_added(ingest: Ingest) -> None:
    """By what identifies it, so the champion's rows and the new holdout do not overlap."""
    ingest.pipeline += "b"
    spec = with_column(ingest, "z")
    narrow = Pipeline.model_validate(
        spec.model_dump(mode="json")
        | {
            "data": spec.model_dump(mode="json")["data"]
            | {"columns": ingest.spec().model_dump(mode="json")["data"]["columns"]}
        }
    )
    await ingest.apply(narrow)
    [digest] = await stored(ingest, table(0, "z"))
    before = (await ingest.result(digest))["dataset"]
    await ingest.apply(spec, revision=2)
    await ingest.worker.read_again()
    after = (await ingest.result(digest))["dataset"]
    assert before["train"] != after["train"]
    assert [before[each] for each in ("train_rows", "holdout_rows")] == [
        after[each] for each in ("train_rows", "holdout_rows")
    ]


async def test_only_what_the_window_takes_is_read_and_only_for_the_newest_spec(ingest: Ingest) -> None:
    """Edits in quick succession read nothing for the specs between, and none of those starts a run."""
    digests = await stored(ingest, *(table(start, "z", "w") for start in (0, 50, 100)))
    between = await ingest.apply(with_column(ingest, "w"), revision=2)
    newest = await ingest.apply(with_column(ingest, "z", window=2), revision=3)
    await ingest.arrive(with_column(ingest, "w"), revision=2)  # late, a second time
    async with ingest.database.sessions() as session:
        of_pipeline = DatasetRow.pipeline == ingest.pipeline, DatasetRow.read_again.is_not(None)
        rows = (await session.scalars(select(DatasetRow).where(*of_pipeline).order_by(DatasetRow.not_before))).all()
    assert [(row.digest, row.pipeline_digest) for row in rows] == [(digests[2], newest), (digests[1], newest)]
    await ingest.worker.read_again()
    await rereading.announce(ingest.bus)
    assert await told(ingest, between) == []
    assert [body["last_of"] for _, body in await told(ingest, newest)] == [[], digests[1:]]
