"""Files on their way to a result: uploads, submitted objects, repeats, crashes; on a real broker and database."""

import asyncio
import gzip
import hashlib
import io
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from interlock_artifacts import MissingArtifactError
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef
from interlock_ingest import routes, store
from interlock_ingest.store import DatasetRow
from interlock_messaging import work_queue
from interlock_modeling.split import ROW_COLUMN
from sqlalchemy import update

from tests.support.ingest_service import Ingest

pytestmark = pytest.mark.integration

GOOD = b"x,y\n" + b"".join(f"{n},{2 * n}\n".encode() for n in range(50))
BAD = b"x,z\n1,2\n"


async def test_an_upload_is_kept_before_it_is_acknowledged_and_accepted_by_its_check(ingest: Ingest) -> None:
    """After the 202 the result depends on nothing that a crash could take."""
    view = await ingest.upload(GOOD)
    assert view["state"] == "checking"
    assert ingest.bus.delivery.wakeups.of(DatasetRow).is_set(), "its check need not wait for the next poll"
    file = ArtifactRef(sha256=view["digest"], bytes=len(GOOD), holdout=True)
    assert ingest.artifacts.fetch(file) == GOOD

    await ingest.worker.validate_files()

    result = await ingest.result(view["digest"])
    assert (result["state"], result["batch"], result["profile"]["rows"]) == ("accepted", 1, 50)
    [(kind, published)] = await ingest.published()
    stored = DatasetRef.model_validate(published["dataset"])
    assert kind == "dataset.ingested"
    assert stored.train_rows + stored.holdout_rows == 50
    assert stored.holdout.holdout
    assert ingest.artifacts.fetch(stored.train)[:4] == ingest.artifacts.fetch(stored.holdout)[:4] == b"PAR1"


async def test_a_dry_run_answers_with_the_result_and_stores_nothing(ingest: Ingest, tmp_path: Path) -> None:
    """The same check with the same findings; afterwards nobody knows the file."""
    for body, state in [(GOOD, "accepted"), (BAD, "rejected")]:
        answer = await ingest.http.post(f"/datasets/{ingest.pipeline}", params={"dry_run": "true"}, content=body)
        view = answer.json()
        assert (answer.status_code, view["state"], view["dry_run"]) == (200, state, True)
        assert view["digest"] == hashlib.sha256(body).hexdigest()
        assert view["dataset"] is None
        file = ArtifactRef(sha256=view["digest"], bytes=len(body), holdout=True)
        with pytest.raises(MissingArtifactError):
            ingest.artifacts.fetch(file)

        await ingest.upload(body)
        await ingest.worker.validate_files()
        real = await ingest.result(view["digest"])
        assert {name: view[name] for name in ("state", "reasons", "warnings", "profile")} == {
            name: real[name] for name in ("state", "reasons", "warnings", "profile")
        }
    assert [kind for kind, _ in await ingest.published()] == ["dataset.ingested", "dataset.rejected"]
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


async def test_a_dry_run_too_many_is_asked_to_come_again(ingest: Ingest) -> None:
    """Each takes a process; the files that were uploaded go first."""
    async with ingest.dry_runs:
        answer = await ingest.http.post(f"/datasets/{ingest.pipeline}", params={"dry_run": "true"}, content=GOOD)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_stored_columns_stand_in_declared_order(ingest: Ingest) -> None:
    """The declaration comes back from the database as it was written."""
    columns = {"zebra": {"type": "number"}, "y": {"type": "number"}, "ant": {"type": "number"}}
    declared = {"name": ingest.pipeline, "task": "regression", "target": "y", "data": {"columns": columns}}
    await ingest.apply(Pipeline.model_validate(declared), revision=2)
    await ingest.upload(b"ant,y,zebra\n1,2,3\n")
    await ingest.worker.validate_files()

    [(_, published)] = await ingest.published()
    stored = ingest.artifacts.fetch(DatasetRef.model_validate(published["dataset"]).train)
    assert pq.read_schema(io.BytesIO(stored)).names == ["zebra", "y", "ant", ROW_COLUMN]


async def test_a_rejected_file_has_its_reasons_over_rest_and_in_its_event_and_is_kept(ingest: Ingest) -> None:
    """The same reasons in both places, and the bytes stay for inspection."""
    view = await ingest.upload(BAD)
    await ingest.worker.validate_files()

    result = await ingest.result(view["digest"])
    [(kind, published)] = await ingest.published()
    assert (result["state"], kind) == ("rejected", "dataset.rejected")
    assert [reason["rule"] for reason in result["reasons"]] == [reason["rule"] for reason in published["reasons"]]
    assert result["reasons"][0]["rule"] == "missing_column"
    assert ingest.artifacts.fetch(ArtifactRef(sha256=view["digest"], bytes=len(BAD), holdout=True)) == BAD


async def test_the_same_file_starts_nothing_until_the_pipeline_changes(ingest: Ingest) -> None:
    """Its result is for a pipeline digest: known under the same one, checked again under a new one."""
    digest = (await ingest.upload(GOOD))["digest"]
    await ingest.worker.validate_files()
    assert (await ingest.upload(GOOD))["state"] == "accepted"
    await ingest.worker.validate_files()
    assert len(await ingest.published()) == 1

    first = (await ingest.result(digest))["pipeline_digest"]
    second = await ingest.apply(ingest.spec(min_rows=100), revision=2)
    await ingest.upload(GOOD)
    await ingest.worker.validate_files()

    assert [kind for kind, _ in await ingest.published()] == ["dataset.ingested", "dataset.rejected"]
    assert (await ingest.result(digest))["pipeline_digest"] == second
    assert (await ingest.result(digest, pipeline=first))["state"] == "accepted"


async def test_files_are_numbered_as_they_are_received_and_keep_their_number(ingest: Ingest) -> None:
    """Under whichever pipeline digest; a refused file has none, and leaves a gap."""
    await ingest.upload(GOOD)
    await ingest.upload(BAD)
    await ingest.upload(GOOD + b"99,99\n")
    await ingest.worker.validate_files()
    await ingest.apply(ingest.spec(min_rows=2), revision=2)
    await ingest.upload(GOOD)
    await ingest.worker.validate_files()

    listed = (await ingest.http.get(f"/datasets/{ingest.pipeline}")).json()
    assert [view["batch"] for view in listed] == [1, 3, None, 1]


async def test_the_file_received_last_is_the_newest_whichever_check_ends_first(ingest: Ingest) -> None:
    """A large file may be checked beside a small one that came after it."""
    first = (await ingest.upload(GOOD))["digest"]
    async with ingest.database.sessions() as session, session.begin():
        [large] = await work_queue.claim(session, DatasetRow, store.UNVALIDATED)
        assert large.digest == first
        second = (await ingest.upload(GOOD + b"99,99\n"))["digest"]
        await ingest.worker.validate_files()
    await ingest.worker.validate_files()

    assert [published["dataset"]["digest"] for _, published in await ingest.published()] == [second, first]
    assert [published["batch"] for _, published in await ingest.published()] == [2, 1]


async def test_a_file_that_is_sent_again_after_its_refusal_is_the_newest(ingest: Ingest) -> None:
    """No training has had it before; once accepted, it keeps its number under every spec."""
    await ingest.apply(ingest.spec(min_rows=100), revision=2)
    await ingest.upload(GOOD)
    await ingest.upload(GOOD + b"".join(b"%d,1\n" % row for row in range(1000, 1100)))
    await ingest.worker.validate_files()
    for revision, rows in ((3, 2), (4, 3)):
        await ingest.apply(ingest.spec(min_rows=rows), revision=revision)
        await ingest.upload(GOOD)
    await ingest.worker.validate_files()

    assert [published["batch"] for kind, published in await ingest.published() if kind == "dataset.ingested"] == [
        2,
        3,
        3,
    ]


async def test_a_file_of_the_last_release_gets_its_number_with_its_result(ingest: Ingest) -> None:
    """It was received without one."""
    digest = (await ingest.upload(GOOD))["digest"]
    async with ingest.database.sessions() as session, session.begin():
        await session.execute(update(DatasetRow).values(received_number=None))
    await ingest.worker.validate_files()

    assert (await ingest.result(digest))["batch"] == 2


async def test_a_submitted_object_is_taken_in_like_an_upload(ingest: Ingest) -> None:
    """Whoever can write below incoming/<pipeline>/ needs no HTTP."""
    key = f"incoming/{ingest.pipeline}/january.csv"
    ingest.artifacts.put_latest(key, GOOD)
    await ingest.submit(key)
    assert ingest.bus.delivery.wakeups.of(DatasetRow).is_set(), "its check need not wait for the next poll"
    await ingest.worker.validate_files()

    assert [kind for kind, _ in await ingest.published()] == ["dataset.ingested"]


@pytest.mark.parametrize(
    "key",
    [
        "incoming/{other}/january.csv",
        "incoming/{own}/../{other}/january.csv",
        "incoming/{own}/",
        "/incoming/{own}/january.csv",
        "https://elsewhere.example/incoming/{own}/january.csv",
        "s3://bucket/incoming/{own}/january.csv",
        "sha256/ab/abcd",
        "holdout/sha256/ab/abcd",
        "incoming/{own}/a\\..\\b",
        "incoming/{own}/a\nb",
    ],
)
async def test_an_object_elsewhere_is_refused_unread(ingest: Ingest, key: str) -> None:
    """Only objects below the pipeline's own incoming/ are taken in; nothing else is even looked at."""
    await ingest.submit(key.format(own=ingest.pipeline, other="other"))

    [(kind, published)] = await ingest.published()
    assert kind == "dataset.rejected"
    assert published["reasons"][0]["rule"] == "object"


async def test_a_submission_of_nothing_is_refused(ingest: Ingest) -> None:
    """The key is right, but no object is there."""
    await ingest.submit(f"incoming/{ingest.pipeline}/missing.csv")

    [(kind, published)] = await ingest.published()
    assert (kind, published["object"]) == ("dataset.rejected", f"incoming/{ingest.pipeline}/missing.csv")


async def test_wrong_requests_are_told_what_would_be_right(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, unknown names, forms, compressed and oversized bodies."""
    monkeypatch.setattr(routes, "UPLOAD_SPEC_TIMEOUT_SECONDS", 0.0)
    address = f"/datasets/{ingest.pipeline}"
    answers = [
        await ingest.http.post(address, content=GOOD, headers={"Authorization": "Bearer wrong"}),
        await ingest.http.get("/datasets/unknown"),
        await ingest.http.post("/datasets/unknown", content=GOOD),
        await ingest.http.post(address, content=GOOD, params={"pipeline": "0" * 64}),
        await ingest.http.get(f"{address}/{'0' * 64}"),
        await ingest.http.post(address, files={"file": GOOD}),
        await ingest.http.post(address, content=GOOD, headers={"Content-Encoding": "gzip"}),
        await ingest.http.post(address, content=GOOD, headers={"Content-Encoding": "br"}),
        await ingest.http.post(
            address, content=gzip.compress(b"x" * (1 << 20) + b"x"), headers={"Content-Encoding": "gzip"}
        ),
        await ingest.http.post(address, content=b"x" * (1 << 20) + b"x"),
    ]

    assert [answer.status_code for answer in answers] == [401, 404, 404, 404, 404, 415, 400, 415, 413, 413]
    assert all(answer.json()["detail"] for answer in answers)
