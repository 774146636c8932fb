"""Stored files read again, as they came, for a spec that shapes their rows in another way."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from interlock_contracts.datasets import DatasetIngested, Finding
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef
from interlock_contracts.stored_rows import shape_of_rows
from interlock_contracts.training_section import Window
from interlock_messaging import Bus, enqueue
from interlock_messaging.crash_points import crash_point
from interlock_messaging.wakeups import wake_after_commit
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_ingest import store, tombstones
from interlock_ingest.domain import truncate_findings
from interlock_ingest.store import SERVICE, DatasetRow, SpecRow

NAMED = 5_000
"""Files that one event names at most."""

_APART = timedelta(milliseconds=1)

NOT_KEPT = Finding(
    rule="original",
    message="the file as it came is no longer kept, so it cannot be read again for the changed pipeline: upload it",
)


async def begin(session: AsyncSession, pipeline: str, digest: str, cause: str) -> None:
    """Let the files wait to be read again of which no stored rows fit a spec, if that is the pipeline's newest.

    Doing it twice adds none. Those that still waited for another spec are not read for that any more.
    """
    await store.lock_order(session, pipeline)
    spec = await SpecRow.find(session, pipeline)
    if spec is None or spec.digest != digest or await tombstones.deletion_of_pipeline(session, pipeline) is not None:
        return
    waiting = select(DatasetRow.pipeline_digest, DatasetRow.digest).where(
        DatasetRow.pipeline == pipeline, store.UNREAD, DatasetRow.pipeline_digest != digest
    )
    for other, file in (await session.execute(waiting.with_for_update(skip_locked=True))).all():
        key = DatasetRow.pipeline == pipeline, DatasetRow.digest == file, DatasetRow.pipeline_digest == other
        await session.execute(delete(DatasetRow).where(*key))
    declared = Pipeline.model_validate(spec.spec)
    files = in_window(await _unfit(session, spec, declared), declared.training.window)
    if files:
        await store.lock_references(session)
    now = datetime.now(UTC)
    for place, known in enumerate(reversed(files)):  # the newest first: it is what a watermark is set by
        names = ("pipeline", "digest", "file", "bytes", "role", "object", "file_name", "note", "uploaded_by")
        row = DatasetRow(**{name: getattr(known, name) for name in names})
        row.pipeline_digest, row.cause, row.read_again = digest, cause, "unannounced"
        row.received_number, row.not_before = known.number, now + place * _APART
        session.add(row)
    wake_after_commit(session, DatasetRow)


async def _unfit(session: AsyncSession, spec: SpecRow, declared: Pipeline) -> list[DatasetRow]:
    """Return the accepted files that a spec cannot use and has not refused, each by its newest row, oldest first."""
    shape = shape_of_rows(declared)
    specs = await session.scalars(select(SpecRow).where(SpecRow.pipeline == spec.pipeline))
    alike = {each.digest for each in specs if shape_of_rows(Pipeline.model_validate(each.spec)) == shape}
    rows = select(DatasetRow).where(DatasetRow.pipeline == spec.pipeline, store.NOT_DELETED)
    found, fit = {}, set()
    for row in await session.scalars(rows.order_by(DatasetRow.received_at)):
        if row.pipeline_digest == spec.digest or (row.pipeline_digest in alike and row.state != "rejected"):
            fit.add(row.digest)
        elif row.state == "accepted":
            found[row.digest] = row
    return sorted((row for row in found.values() if row.digest not in fit), key=lambda row: row.number or 0)


def in_window(files: Sequence[DatasetRow], window: Window) -> list[DatasetRow]:
    """Return which files the next run could use: those of its window, and the newest that it could be judged on."""
    training = [row for row in files if row.role == "training"]
    evaluation = [row for row in files if row.role == "evaluation"]
    if window != "all":
        training = training[-(1 if window == "latest" else window) :]
    return [*evaluation[-1:], *training]


async def announce(bus: Bus) -> None:
    """Tell of the files that were read again for a spec, all at once, as soon as none of them waits any more."""
    unannounced = DatasetRow.read_again == "unannounced"
    async with bus.transaction() as session:
        query = select(DatasetRow.pipeline, DatasetRow.pipeline_digest).where(unannounced).distinct()
        found = (await session.execute(query)).all()
    for pipeline, digest in found:
        async with bus.transaction() as session:
            await store.lock_order(session, pipeline)
            of_spec = DatasetRow.pipeline == pipeline, DatasetRow.pipeline_digest == digest, unannounced
            rows = (await session.scalars(select(DatasetRow).where(*of_spec).order_by(DatasetRow.number))).all()
            if any(row.state == "checking" for row in rows):
                continue
            await _tell(session, pipeline, digest, rows)
            crash_point("ingest.reading.announced")


async def _tell(session: AsyncSession, pipeline: str, digest: str, rows: Sequence[DatasetRow]) -> None:
    newest = await SpecRow.find(session, pipeline)
    read = [row for row in rows if row.state == "accepted"]
    learned = [row.digest for row in read if row.role == "training"]
    for row in rows:
        row.read_again = "announced"
    for row in read:
        # Of a spec that another has replaced meanwhile nothing is trained.
        last = newest is not None and newest.digest == digest and learned[-1:] == [row.digest]
        event = ingested(row).model_copy(update={"read_again": True, "last_of": learned[-NAMED:] if last else []})
        await enqueue(session, event, source=SERVICE, cause=row.cause)


def ingested(row: DatasetRow) -> DatasetIngested:
    """Return what there is to tell of an accepted file."""
    assert row.number is not None, "an accepted file has a number"
    return DatasetIngested(
        pipeline=row.pipeline,
        pipeline_digest=row.pipeline_digest,
        dataset=DatasetRef.model_validate(row.dataset),
        batch=row.number,
        profile=ArtifactRef.model_validate(row.profile),
        warnings=truncate_findings([Finding.model_validate(each) for each in row.warnings]),
        uploaded_by=row.uploaded_by,
        role=row.role,
    )
