"""Tables and queries: specs, datasets with their validation results, and submissions not yet taken."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from interlock_contracts.refs import DatasetRole
from interlock_messaging.pipeline_specs import PipelineSpec
from interlock_messaging.tables import Base
from interlock_messaging.wakeups import wake_after_commit
from interlock_messaging.work_queue import WorkItem
from interlock_modeling.split import HashForm
from sqlalchemy import BigInteger, ColumnElement, MetaData, String, func, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

SERVICE = "ingest"
LISTED = 1000
DIGEST_DIGITS = 64
_HEXADECIMAL = re.compile(r"[0-9a-f]+")
_REFERENCES = func.hashtext("references of datasets to objects")


class Table(Base):
    """Abstract base of this service's tables."""

    __abstract__ = True
    metadata = MetaData()


class SpecRow(PipelineSpec, Table):
    """Every spec that was applied: files are validated against the newest of their pipeline.

    ``hash_form`` is that of all rows of the pipeline, as its first spec has it; what an older release writes has 1.
    """

    __tablename__ = "spec"

    hash_form: Mapped[int] = mapped_column(server_default=text("1"))


class ReceivedRow(Table):
    """How many files of a pipeline were received; its lock puts them in an order."""

    __tablename__ = "batches"

    pipeline: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(server_default=text("0"))


class DatasetRow(WorkItem, Table):
    """One file under one pipeline digest; ``state`` is checking, accepted, rejected or deleted.

    ``cause`` is the id of the event or upload that brought it; ``failures`` counts validations without a result.
    ``received_number`` counts the files of a pipeline as they are received, for they are validated side by side;
    ``number`` is the same for an accepted one. Rejected files leave gaps. ``file_name``, ``note`` and
    ``uploaded_by`` are of the first upload. An evaluation file, by its ``role``, is never trained on.

    ``read_again`` is None of a file that came; of one that is read again for a later spec, ``unannounced``, and
    ``announced`` once others have been told of all of them.

    The row of a deleted file stays, with its number and what its objects were, but none of the file's content.
    """

    __tablename__ = "dataset"

    pipeline: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    pipeline_digest: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(server_default=text("'checking'"))
    file: Mapped[dict[str, Any]] = mapped_column(JSONB)
    bytes: Mapped[int] = mapped_column(BigInteger)
    cause: Mapped[str]
    role: Mapped[DatasetRole] = mapped_column(String, server_default=text("'training'"))
    object: Mapped[str | None] = mapped_column(String)
    file_name: Mapped[str | None]
    note: Mapped[str | None]
    uploaded_by: Mapped[str | None]
    traceparent: Mapped[str | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    decided_at: Mapped[datetime | None]
    received_number: Mapped[int | None] = mapped_column("place")
    number: Mapped[int | None] = mapped_column("batch")
    dataset: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    profile: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    warnings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    read_again: Mapped[str | None]
    deleted_at: Mapped[datetime | None]
    deleted_by: Mapped[str | None]


UNVALIDATED = (DatasetRow.state == "checking") & DatasetRow.read_again.is_(None)
UNREAD = (DatasetRow.state == "checking") & DatasetRow.read_again.is_not(None)
NOT_DELETED = DatasetRow.state != "deleted"


class SubmissionRow(WorkItem, Table):
    """A submitted object that is not ingested yet; gone once it is a dataset or rejected."""

    __tablename__ = "submission"

    cause: Mapped[str] = mapped_column(primary_key=True)
    pipeline: Mapped[str]
    object: Mapped[str]
    role: Mapped[DatasetRole] = mapped_column(String, server_default=text("'training'"))
    traceparent: Mapped[str | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


async def add_dataset(session: AsyncSession, row: DatasetRow) -> DatasetRow:
    """Add a file to be validated, and return its row; one that is known under this pipeline digest stays as it is."""
    of_file = ("pipeline", "digest", "pipeline_digest", "file", "bytes")
    of_upload = ("cause", "role", "object", "file_name", "note", "uploaded_by", "traceparent")
    values = {name: getattr(row, name) for name in (*of_file, *of_upload)}
    added = await session.execute(insert(DatasetRow).values(values).on_conflict_do_nothing())
    known = await session.get_one(DatasetRow, (row.pipeline, row.digest, row.pipeline_digest))
    if added.rowcount:  # type: ignore[attr-defined]
        await enqueue_validation(session, known)
    return known


async def known_in_other_role(session: AsyncSession, row: DatasetRow) -> bool:
    """Return whether the file has the other role, under any spec; one that was rejected or deleted may take it."""
    of_file = (DatasetRow.pipeline == row.pipeline, DatasetRow.digest == row.digest)
    other = (DatasetRow.role != row.role, DatasetRow.state.not_in(("rejected", "deleted")))
    return (await session.scalars(select(DatasetRow.digest).where(*of_file, *other).limit(1))).one_or_none() is not None


async def enqueue_validation(session: AsyncSession, row: DatasetRow) -> None:
    """Give a file that is to be validated its number in the order of reception, and wake the workers."""
    row.received_number = await next_number(session, row)
    wake_after_commit(session, DatasetRow)


@dataclass(frozen=True, kw_only=True)
class DatasetFilter:
    """Which files of a pipeline are listed; ``text`` is a part of the file's name or note, or a digest's beginning.

    Deleted ones are listed where ``states`` name them, and not else.
    """

    states: Sequence[str] = ()
    roles: Sequence[str] = ()
    since: datetime | None = None
    before: datetime | None = None
    text: str | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on :class:`DatasetRow`, all of which must hold."""
        yield DatasetRow.state.in_(self.states) if self.states else NOT_DELETED
        if self.roles:
            yield DatasetRow.role.in_(self.roles)
        if self.since is not None:
            yield DatasetRow.received_at >= self.since
        if self.before is not None:
            yield DatasetRow.received_at < self.before
        if self.text:
            named = [each.icontains(self.text, autoescape=True) for each in (DatasetRow.file_name, DatasetRow.note)]
            yield or_(*named, DatasetRow.digest.startswith(self.text.lower(), autoescape=True))


async def datasets(
    session: AsyncSession, pipeline: str, wanted: DatasetFilter, *, limit: int = LISTED
) -> Sequence[DatasetRow]:
    """Return a pipeline's files that are wanted and their validation results, the newest first.

    What was received in the same moment as the last of them is there, too: the next page begins before that moment.
    """
    query = select(DatasetRow).where(DatasetRow.pipeline == pipeline, *wanted.conditions())
    newest = query.order_by(DatasetRow.received_at.desc()).fetch(limit, with_ties=True)
    return (await session.scalars(newest)).all()


async def digests(session: AsyncSession, pipeline: str, beginning: str, limit: int) -> Sequence[str]:
    """Return the digests of a pipeline's files that begin with some hexadecimal digits, in order."""
    first = beginning.lower()
    if not _HEXADECIMAL.fullmatch(first):
        return []
    found = DatasetRow.digest.between(first.ljust(DIGEST_DIGITS, "0"), first.ljust(DIGEST_DIGITS, "f"))
    query = select(DatasetRow.digest).where(DatasetRow.pipeline == pipeline, found).distinct()
    return (await session.scalars(query.order_by(DatasetRow.digest).limit(limit))).all()


async def dataset(
    session: AsyncSession, pipeline: str, digest: str, pipeline_digest: str | None = None
) -> DatasetRow | None:
    """Return the newest validation result of a file, or the one under ``pipeline_digest``."""
    query = select(DatasetRow).where(DatasetRow.pipeline == pipeline, DatasetRow.digest == digest)
    if pipeline_digest is not None:
        query = query.where(DatasetRow.pipeline_digest == pipeline_digest)
    return (await session.scalars(query.order_by(DatasetRow.received_at.desc()).limit(1))).one_or_none()


async def accepted_before(session: AsyncSession, row: DatasetRow) -> DatasetRow | None:
    """Return the last other accepted file of those received before this one, evaluation files aside.

    A file without a number was accepted or rejected by an earlier release, or is a dry run: then times decide.
    """
    number = row.number if row.number is not None else row.received_number
    earlier = DatasetRow.decided_at < row.received_at if number is None else DatasetRow.number < number
    query = (
        select(DatasetRow)
        .where(
            DatasetRow.pipeline == row.pipeline,
            DatasetRow.digest != row.digest,
            DatasetRow.state == "accepted",
            DatasetRow.role == "training",
            earlier,
        )
        .order_by(DatasetRow.number.desc(), DatasetRow.decided_at.desc())
        .limit(1)
    )
    return (await session.scalars(query)).one_or_none()


async def hash_form(session: AsyncSession, pipeline: str, *, new: HashForm = 1) -> HashForm:
    """Return the form in which the rows of a pipeline are hashed, for good; ``new`` of one that has no spec yet."""
    # The highest: a replica of the last release, which knows the first form alone, may have kept a later spec.
    known = await session.scalar(select(func.max(SpecRow.hash_form)).where(SpecRow.pipeline == pipeline))
    if known is None:
        return new
    return 1 if known == 1 else 2


async def accepted_files(
    session: AsyncSession, pipeline: str, role: DatasetRole, *, limit: int
) -> Sequence[DatasetRow]:
    """Return a pipeline's accepted files in a role, under whatever spec, the one received last first."""
    of_role = (DatasetRow.pipeline == pipeline, DatasetRow.role == role, DatasetRow.state == "accepted")
    return (
        await session.scalars(select(DatasetRow).where(*of_role).order_by(DatasetRow.number.desc()).limit(limit))
    ).all()


async def next_number(session: AsyncSession, row: DatasetRow) -> int:
    """Return the number of a file that is received now: its own where another spec has accepted or validates it."""
    received = await lock_order(session, row.pipeline)
    number = func.coalesce(DatasetRow.number, DatasetRow.received_number)
    others = (
        DatasetRow.pipeline == row.pipeline,
        DatasetRow.digest == row.digest,
        DatasetRow.pipeline_digest != row.pipeline_digest,
        DatasetRow.state.not_in(("rejected", "deleted")),
        number.is_not(None),
    )
    known: int | None = (await session.scalars(select(number).where(*others).limit(1))).one_or_none()
    if known is not None:
        return known
    received.count += 1
    return received.count


async def lock_order(session: AsyncSession, pipeline: str) -> ReceivedRow:
    """Return a pipeline's count of files, locked until the transaction ends: no other is received or deleted."""
    await session.execute(insert(ReceivedRow).values(pipeline=pipeline).on_conflict_do_nothing())
    return await session.get_one(ReceivedRow, pipeline, with_for_update=True, populate_existing=True)


async def lock_references(session: AsyncSession) -> None:
    """Keep objects from being deleted until the transaction ends, which will refer to some."""
    await session.execute(select(func.pg_advisory_xact_lock_shared(_REFERENCES)))


async def lock_references_alone(session: AsyncSession) -> bool:
    """Lock references exclusively until the transaction ends; return whether no other transaction holds the lock.

    It does not wait: whoever stores a large file meanwhile would hold up every other one behind it.
    """
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(_REFERENCES))))
