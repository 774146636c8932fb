"""Tombstones of deleted files and pipelines, and their objects as candidates for garbage collection."""

from collections.abc import Sequence
from datetime import UTC, datetime

from interlock_contracts.refs import ArtifactRef, DatasetRef
from sqlalchemy import exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from interlock_ingest.store import NOT_DELETED, DatasetRow, Table


class DeletedPipelineRow(Table):
    """A pipeline that was deleted with its model: its files are deleted, and no other is taken in."""

    __tablename__ = "deleted_pipeline"

    pipeline: Mapped[str] = mapped_column(primary_key=True)
    by: Mapped[str]
    heard_at: Mapped[datetime] = mapped_column(server_default=func.now())


class GarbageCandidateRow(Table):
    """A garbage-collection candidate: an object of a deleted file; gone with it, or once another file refers to it."""

    __tablename__ = "unwanted"

    key: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    since: Mapped[datetime] = mapped_column(server_default=func.now())


def deletion_of(row: DatasetRow) -> str | None:
    """Return by whom a file was deleted, and when, in words; None where it was not."""
    if row.deleted_at is None:
        return None
    moment = row.deleted_at.astimezone(UTC).isoformat(timespec="seconds")
    return f"file {row.digest} of pipeline {row.pipeline!r} was deleted by {row.deleted_by} at {moment}"


def objects_of(row: DatasetRow) -> list[ArtifactRef]:
    """Return all that is stored of a file: as it came, both parts, and the profile."""
    found = [ArtifactRef.model_validate(each) for each in (row.file, row.profile) if each]
    if row.dataset is not None:
        parts = DatasetRef.model_validate(row.dataset)
        found += [parts.train, parts.holdout]
    return found


async def keep_deletion(session: AsyncSession, pipeline: str, *, by: str) -> None:
    """Keep that a pipeline was deleted with its model."""
    await session.execute(insert(DeletedPipelineRow).values(pipeline=pipeline, by=by).on_conflict_do_nothing())


async def deletion_of_pipeline(session: AsyncSession, pipeline: str) -> str | None:
    """Return by whom a pipeline was deleted with its model, in words; None where it was not."""
    row = await session.get(DeletedPipelineRow, pipeline)
    return f"model {pipeline!r} was deleted by {row.by}, with its files" if row is not None else None


async def left_of_deleted(session: AsyncSession, *, limit: int) -> Sequence[tuple[DatasetRow, str]]:
    """Return, for changing, files of deleted pipelines that are not deleted yet, with who did it.

    A file that is being checked is left out, as its row is locked for as long.
    """
    query = select(DatasetRow, DeletedPipelineRow.by).join(
        DeletedPipelineRow, DeletedPipelineRow.pipeline == DatasetRow.pipeline
    )
    left = query.where(NOT_DELETED).limit(limit).with_for_update(of=DatasetRow, skip_locked=True)
    return [(row[0], row[1]) for row in await session.execute(left)]


async def delete(session: AsyncSession, row: DatasetRow, *, by: str) -> None:
    """Make a row a tombstone: names, notes and findings are cleared, and its objects become garbage candidates."""
    await _discard_objects(session, row)
    row.state, row.deleted_at, row.deleted_by = "deleted", datetime.now(UTC), by
    row.file_name = row.note = row.object = row.uploaded_by = None
    row.reasons, row.warnings = [], []


async def _discard_objects(session: AsyncSession, row: DatasetRow) -> None:
    """Add a file's objects to the garbage-collection candidates."""
    values = [{"key": ref.key, "sha256": ref.sha256} for ref in objects_of(row)]
    new = insert(GarbageCandidateRow).values(values)
    await session.execute(
        new.on_conflict_do_update(index_elements=[GarbageCandidateRow.key], set_={"since": func.now()})
    )


async def is_referenced(session: AsyncSession, sha256: str) -> bool:
    """Return whether a file that is not deleted refers to the object, in whatever column."""
    columns = (
        DatasetRow.file["sha256"],
        DatasetRow.profile["sha256"],
        DatasetRow.dataset["train"]["sha256"],
        DatasetRow.dataset["holdout"]["sha256"],
    )
    has = or_(*(column.astext == sha256 for column in columns))
    return bool(await session.scalar(select(exists().where(NOT_DELETED, has))))
