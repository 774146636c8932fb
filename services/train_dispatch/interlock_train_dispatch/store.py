"""Tables and queries: specs, datasets, runs, logs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import DatasetRole
from interlock_contracts.stored_rows import shape_of_rows
from interlock_contracts.training import RunState
from interlock_messaging.pipeline_specs import PipelineSpec
from interlock_messaging.tables import Base
from sqlalchemy import ColumnElement, MetaData, Select, String, exists, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

ORPHANS_AT_ONCE = LOGS_AT_ONCE = 50


class Table(Base):
    """Abstract base of this service's tables."""

    __abstract__ = True
    metadata = MetaData()


class SpecRow(PipelineSpec, Table):
    """Every spec that was applied, with the digest of its data section."""

    __tablename__ = "spec"

    data_digest: Mapped[str]


class ArchiveRow(Table):
    """Whether a model is archived, by the newest event about it; a deleted one is for good."""

    __tablename__ = "archive"

    model: Mapped[str] = mapped_column(primary_key=True)
    archived: Mapped[bool]
    seq: Mapped[int]
    deleted_by: Mapped[str | None]


class DatasetRow(Table):
    """Every accepted file, under the data section that it was checked by; ``number`` is its place in their order."""

    __tablename__ = "dataset"

    pipeline: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    data_digest: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column("batch")
    ref: Mapped[dict[str, Any]] = mapped_column(JSONB)
    role: Mapped[DatasetRole] = mapped_column(String, server_default=text("'training'"))


class DeletedRow(Table):
    """A deleted file; its number distinguishes it from the same bytes ingested again, whatever the order of events."""

    __tablename__ = "deleted"

    pipeline: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column("batch")
    by: Mapped[str]
    heard_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RunRow(Table):
    """One run, or what is left of a deleted one; ``job`` refers to the stored :class:`TrainingJob` of this attempt.

    ``submitted`` is true while Ray is known to hold that attempt's job, or may: of a run that has ended, it is to be
    stopped.

    ``traceparent`` is the context of the run's own span, ``request_traceparent`` that of the request.

    ``dataset`` is set where the request named one file to train on, instead of the pipeline's window. ``evaluation``
    refers to the file that the run is judged on, None where that is what is held out of ``datasets``; ``metrics`` are
    what the gate measured there. ``imported`` refers to an uploaded model, which is then imported, and nothing trained.
    """

    __tablename__ = "run"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str]
    state: Mapped[RunState] = mapped_column(String)
    causation_id: Mapped[str] = mapped_column("cause")
    pipeline_digest: Mapped[str]
    dataset: Mapped[str | None]
    commit: Mapped[str | None]
    requested_by: Mapped[str | None]
    request_reason: Mapped[str | None]
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"), default=dict)
    traceparent: Mapped[str | None]
    request_traceparent: Mapped[str | None] = mapped_column("asked")
    attempt: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    datasets: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    evaluation: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    imported: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    job: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    submitted: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    cancelled: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    job_missing_since: Mapped[datetime | None] = mapped_column("gone_since")
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    reason: Mapped[str | None]
    coalesced_into: Mapped[UUID | None] = mapped_column("into")
    version: Mapped[int | None]
    metrics: Mapped[dict[str, float] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    trained_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    deadline: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]


class LogRow(Table):
    """What one attempt's job printed: ``ref`` once it is kept, ``lost`` where Ray does not have it any more."""

    __tablename__ = "log"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    lost: Mapped[bool] = mapped_column(server_default=text("false"), default=False)


async def lock_model(session: AsyncSession, model: str) -> None:
    """Take the model's turn until the transaction ends: runs of one model are made and started one by one."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"run/{model}"))))


async def keep_dataset(session: AsyncSession, row: DatasetRow) -> None:
    """Keep an accepted file; of one under one data section the first stays, unless that may have been deleted."""
    values = {name: getattr(row, name) for name in ("pipeline", "digest", "data_digest", "number", "ref", "role")}
    new = insert(DatasetRow).values(values)
    later = {"batch": new.excluded.batch, "ref": new.excluded.ref, "role": new.excluded.role}
    key = [DatasetRow.pipeline, DatasetRow.digest, DatasetRow.data_digest]
    kept = new.on_conflict_do_update(index_elements=key, set_=later, where=DatasetRow.number < new.excluded.batch)
    await session.execute(kept)


async def keep_deletion(session: AsyncSession, row: DeletedRow) -> None:
    """Keep that a file was deleted, unless a later deletion of the same bytes is known."""
    values = {name: getattr(row, name) for name in ("pipeline", "digest", "number", "by")}
    new = insert(DeletedRow).values(values)
    later = {"batch": new.excluded.batch, "by": new.excluded.by, "heard_at": func.now()}
    key = [DeletedRow.pipeline, DeletedRow.digest]
    kept = new.on_conflict_do_update(index_elements=key, set_=later, where=DeletedRow.number < new.excluded.batch)
    await session.execute(kept)


async def datasets(session: AsyncSession, spec: SpecRow) -> Sequence[DatasetRow]:
    """Return the files that a spec can train on, oldest first; of one that was stored twice, what came last."""
    digest, newest = DatasetRow.digest, DatasetRow.number.desc()
    files = (await _files(session, spec, "training")).ext(distinct_on(digest)).order_by(digest, newest)
    found = await session.scalars(files)
    return sorted(found, key=lambda row: row.number)


async def evaluation_file(session: AsyncSession, spec: SpecRow) -> DatasetRow | None:
    """Return the newest evaluation file of a spec; None where what is held out is judged on."""
    files = await _files(session, spec, "evaluation")
    return (await session.scalars(files.order_by(DatasetRow.number.desc()).limit(1))).one_or_none()


async def is_evaluation_file(session: AsyncSession, spec: SpecRow, digest: str) -> bool:
    files = await _files(session, spec, "evaluation")
    return (await session.scalars(files.where(DatasetRow.digest == digest).limit(1))).one_or_none() is not None


async def dataset_exists(session: AsyncSession, pipeline: str, digest: str) -> bool:
    """Return whether a file is known, under whichever data section, and not deleted."""
    here = DatasetRow.pipeline == pipeline, DatasetRow.digest == digest
    return bool(await session.scalar(select(exists().where(*here, ~is_deleted()))))


async def _files(session: AsyncSession, spec: SpecRow, role: DatasetRole) -> Select[DatasetRow]:
    """Return a query for the files whose stored rows are those that the spec would have stored."""
    section = SpecRow.data_digest
    known = select(SpecRow).where(SpecRow.pipeline == spec.pipeline).ext(distinct_on(section)).order_by(section)
    shape = shape_of_rows(Pipeline.model_validate(spec.spec))
    alike = {
        each.data_digest
        for each in await session.scalars(known)
        if shape_of_rows(Pipeline.model_validate(each.spec)) == shape
    }
    of_spec = (DatasetRow.pipeline == spec.pipeline, DatasetRow.data_digest.in_(alike))
    return select(DatasetRow).where(*of_spec, DatasetRow.role == role, ~is_deleted())


def is_deleted() -> ColumnElement[bool]:
    same = DeletedRow.pipeline == DatasetRow.pipeline, DeletedRow.digest == DatasetRow.digest
    return exists().where(*same, DatasetRow.number <= DeletedRow.number)


async def keep_archive(session: AsyncSession, row: ArchiveRow) -> None:
    """Keep whether a model is archived, unless something newer is known."""
    values = {"model": row.model, "archived": row.archived, "seq": row.seq, "deleted_by": row.deleted_by}
    new = insert(ArchiveRow).values(values)
    newer = {name: new.excluded[name] for name in ("archived", "seq", "deleted_by")}
    await session.execute(
        new.on_conflict_do_update(
            index_elements=[ArchiveRow.model], set_=newer, where=ArchiveRow.seq < new.excluded.seq
        )
    )


async def archive_of(session: AsyncSession, model: str) -> ArchiveRow | None:
    """Return who archived or deleted a model; None where nobody did, or it was brought back."""
    row = await session.get(ArchiveRow, model)
    return row if row is not None and row.archived else None


async def trainable(session: AsyncSession, pipeline: str, digest: str | None = None) -> int | None:
    """Return how many files a pipeline's newest spec, or the one with ``digest``, can train on; None without a spec."""
    row = await SpecRow.find(session, pipeline, digest)
    return len(await datasets(session, row)) if row is not None else None


async def trained_on(session: AsyncSession, model: str, dataset: str, pipeline_digest: str) -> bool:
    """Return whether a run of the model has trained on this file under this spec, since it was deleted last."""
    same = DeletedRow.pipeline == model, DeletedRow.digest == dataset
    query = select(RunRow.run_id).where(
        RunRow.model == model,
        RunRow.pipeline_digest == pipeline_digest,
        RunRow.datasets.contains([{"digest": dataset}]),
        ~exists().where(*same, DeletedRow.heard_at >= RunRow.created_at),
    )
    return (await session.scalars(query.limit(1))).one_or_none() is not None


async def queued(session: AsyncSession, model: str) -> RunRow | None:
    """Return the model's one queued run that will train; imports wait beside it, each by itself."""
    query = select(RunRow).where(RunRow.model == model, RunRow.state == "queued", RunRow.imported.is_(None))
    return (await session.scalars(query)).one_or_none()


async def startable(session: AsyncSession) -> Sequence[RunRow]:
    """Return the queued runs whose model trains nothing else now."""
    busy = select(RunRow.model).where(RunRow.state == "running")
    query = select(RunRow).where(RunRow.state == "queued", RunRow.model.not_in(busy)).order_by(RunRow.created_at)
    return (await session.scalars(query)).all()


async def training_on(session: AsyncSession, model: str, dataset: str) -> Sequence[RunRow]:
    """Return, for changing, the runs of a model that train on a file now."""
    query = select(RunRow).where(RunRow.model == model, RunRow.state == "running", RunRow.trained_at.is_(None))
    mine = query.where(RunRow.datasets.contains([{"digest": dataset}]))
    return (await session.scalars(mine.with_for_update())).all()


async def unfinished(session: AsyncSession, model: str) -> Sequence[RunRow]:
    """Return, for changing, the runs of a model that are queued or running."""
    query = select(RunRow).where(RunRow.model == model, RunRow.state.in_(("queued", "running")))
    return (await session.scalars(query.with_for_update())).all()


async def running(session: AsyncSession) -> Sequence[UUID]:
    """Return the ids of the runs that have started and not ended."""
    return (await session.scalars(select(RunRow.run_id).where(RunRow.state == "running"))).all()


async def orphaned_jobs(session: AsyncSession) -> Sequence[UUID]:
    """Return the ids of runs that ended without a model and whose job may still run, not all at once."""
    ended = RunRow.state.in_(("failed", "cancelled", "timed_out"))
    query = select(RunRow.run_id).where(ended, RunRow.submitted).order_by(RunRow.ended_at.desc()).limit(ORPHANS_AT_ONCE)
    return (await session.scalars(query)).all()


async def expect_log(session: AsyncSession, run: RunRow) -> None:
    """Write down that the present attempt has a job, whose log is to be kept when it ends."""
    new = insert(LogRow).values(run_id=run.run_id, attempt=run.attempt)
    await session.execute(new.on_conflict_do_nothing())


async def due_logs(session: AsyncSession) -> Sequence[tuple[UUID, int, datetime | None]]:
    """Return the attempts that are over and whose log is to be kept, not all at once, and when their run was."""
    over = func.coalesce(RunRow.trained_at, RunRow.ended_at)
    query = select(LogRow.run_id, LogRow.attempt, over).join(RunRow, RunRow.run_id == LogRow.run_id)
    due = query.where(LogRow.ref.is_(None), ~LogRow.lost, or_(over.is_not(None), LogRow.attempt < RunRow.attempt))
    return [(run_id, attempt, at) for run_id, attempt, at in await session.execute(due.limit(LOGS_AT_ONCE))]


async def keep_metrics(session: AsyncSession, run_id: UUID, metrics: dict[str, float]) -> None:
    """Keep what the gate measured, also of a run that has ended: its promotion may have arrived first."""
    if metrics:
        there = RunRow.run_id == run_id, RunRow.deleted_at.is_(None)
        await session.execute(update(RunRow).where(*there).values(metrics=metrics))


async def locked(session: AsyncSession, run_id: UUID) -> RunRow | None:
    """Return a run for changing, None while another replica has it in hand."""
    return await session.get(RunRow, run_id, with_for_update={"skip_locked": True}, populate_existing=True)
