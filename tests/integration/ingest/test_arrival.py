"""Apply, then send a file at once: it is checked under what was applied, though the event is still on its way."""

import asyncio
from typing import Any

import pytest
from interlock_contracts.pipeline import Pipeline
from interlock_ingest import routes
from interlock_ingest.store import SubmissionRow
from sqlalchemy import select, update

from tests.support.ingest_service import Ingest

pytestmark = pytest.mark.integration

FILE = b"x,y\n" + b"".join(b"%d,%d\n" % (each, each) for each in range(100))


def apply_late(ingest: Ingest, **rules: Any) -> Pipeline:
    """Let the registry have a spec whose event has not come yet."""
    spec = ingest.spec(**rules)
    ingest.registry.applied.setdefault(spec.name, []).append(spec.digest)
    return spec


async def test_a_file_waits_for_the_spec_that_was_applied_before_it(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a pipeline that is known here by an earlier spec, which is not taken instead."""
    monkeypatch.setattr(routes, "UPLOAD_SPEC_TIMEOUT_SECONDS", 60.0)
    spec = apply_late(ingest, min_rows=2)
    upload = asyncio.create_task(ingest.upload(FILE))
    done, _ = await asyncio.wait([upload], timeout=0.3)
    assert not done

    await ingest.arrive(spec, revision=2)

    assert (await upload)["pipeline_digest"] == spec.digest


async def test_what_does_not_arrive_in_time_is_to_be_sent_again(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a new pipeline, and for a spec that is named: none of them is unknown."""
    monkeypatch.setattr(routes, "UPLOAD_SPEC_TIMEOUT_SECONDS", 0.0)
    digest = apply_late(ingest, min_rows=2).digest
    ingest.registry.applied["new"] = ["f" * 64]
    answers = [
        await ingest.http.post(f"/datasets/{ingest.pipeline}", content=FILE),
        await ingest.http.post(f"/datasets/{ingest.pipeline}", content=FILE, params={"pipeline": digest}),
        await ingest.http.post("/datasets/new", content=FILE),
        await ingest.http.get("/datasets/new"),
    ]

    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "2")] * 4


async def test_while_the_registry_is_down_the_newest_spec_here_counts(ingest: Ingest) -> None:
    """Files go on coming in."""
    ingest.registry.away = True

    assert (await ingest.upload(FILE))["pipeline_digest"] == ingest.spec().digest


async def test_a_submitted_object_waits_as_well(ingest: Ingest) -> None:
    """It stays in the queue until the spec is there."""
    spec, key = apply_late(ingest, min_rows=2), f"incoming/{ingest.pipeline}/january.csv"
    ingest.artifacts.put_latest(key, FILE)
    await ingest.submit(key)
    async with ingest.database.sessions() as session, session.begin():
        assert await session.scalar(select(SubmissionRow.object)) == key
        await session.execute(update(SubmissionRow).values(not_before=SubmissionRow.received_at))

    await ingest.arrive(spec, revision=2)
    await ingest.worker.take_submissions()

    [view] = (await ingest.http.get(f"/datasets/{ingest.pipeline}")).json()
    assert view["pipeline_digest"] == spec.digest
