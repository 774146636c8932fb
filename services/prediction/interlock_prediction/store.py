"""Tables and statements of predictions, and of the queue of webhooks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from interlock_contracts.predictions import PredictionState
from interlock_messaging.retention import lock_chunk
from interlock_messaging.tables import Base
from interlock_messaging.wakeups import wake_after_commit
from interlock_messaging.work_queue import Due, claim
from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    MetaData,
    String,
    delete,
    exists,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from interlock_prediction.domain import ENDED, TOMBSTONE_RETENTION

EXPIRE_CHUNK = 1000
CANCELLED = "cancelled over REST"


class Table(Base):
    """Abstract base of this service's tables."""

    __abstract__ = True
    metadata = MetaData()


class PredictionRow(Table):
    """One prediction; its row is the idempotency record of its request, so it outlives the result.

    ``model`` is None where the prediction was cancelled before its request arrived. A small answer is in ``answer``
    as JSON, a large one in ``result``, an :class:`ArtifactRef`.
    """

    __tablename__ = "prediction"

    prediction_id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str | None]
    state: Mapped[PredictionState] = mapped_column(String)
    request_sha256: Mapped[str | None]
    traceparent: Mapped[str | None]
    version: Mapped[int | None]
    rows: Mapped[int | None]
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    result_format: Mapped[str | None]
    reason: Mapped[str | None]
    errors: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    requested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class DeletedModelRow(Table):
    """A deleted model: none of its results is kept, also of those that are recorded later."""

    __tablename__ = "deleted_model"

    model: Mapped[str] = mapped_column(primary_key=True)
    heard_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WebhookRow(Due, Table):
    """One webhook in the work queue: pending, delivered or failed, with the outcome of its last attempt."""

    __tablename__ = "webhook"

    prediction_id: Mapped[UUID] = mapped_column(primary_key=True)
    url: Mapped[str]
    state: Mapped[str] = mapped_column(String, server_default=text("'pending'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    status: Mapped[int | None]
    error: Mapped[str | None]
    delivered_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class EndedPrediction:
    """A completed or failed prediction to be inserted; ``result`` and ``errors`` are JSON."""

    prediction_id: UUID
    model: str
    state: PredictionState
    request_sha256: str
    traceparent: str | None
    version: int | None
    rows: int | None
    answer: bytes | None
    result: str | None
    result_format: str | None
    reason: str | None
    errors: str | None
    requested_at: datetime
    ended_at: datetime
    expires_at: datetime


_TYPES = {
    "prediction_id": "uuid",
    "version": "integer",
    "rows": "bigint",
    "answer": "bytea",
    "result": "jsonb",
    "errors": "jsonb",
    **dict.fromkeys(("requested_at", "ended_at", "expires_at"), "timestamptz"),
}
_COLUMNS = [field.name for field in fields(EndedPrediction)]
_INSERT_ENDED = text(
    f"INSERT INTO prediction ({', '.join(_COLUMNS)}) SELECT * FROM unnest("  # noqa: S608 - our own names
    + ", ".join(f"CAST(:{name} AS {_TYPES.get(name, 'text')}[])" for name in _COLUMNS)
    + ") ON CONFLICT DO NOTHING RETURNING prediction_id"
)


async def known_ids(session: AsyncSession, ids: Iterable[UUID]) -> set[UUID]:
    """Return which of these predictions exist."""
    query = select(PredictionRow.prediction_id).where(PredictionRow.prediction_id.in_(list(ids)))
    return set((await session.scalars(query)).all())


async def insert_ended(session: AsyncSession, ended: Sequence[EndedPrediction]) -> set[UUID]:
    """Insert predictions in one statement; return the ids of those that did not exist."""
    columns = {name: [getattr(each, name) for each in ended] for name in _COLUMNS}
    return set((await session.scalars(_INSERT_ENDED, columns)).all())


async def cancel(session: AsyncSession, prediction_id: UUID, expires_at: datetime) -> bool:
    """Insert a prediction as cancelled, ahead of its request; False where its row exists."""
    values = {"state": "cancelled", "reason": CANCELLED, "ended_at": func.now(), "expires_at": expires_at}
    row = insert(PredictionRow).values(prediction_id=prediction_id, **values).on_conflict_do_nothing()
    made = await session.execute(row.returning(PredictionRow.prediction_id))
    return made.first() is not None


async def claim_cancelled(session: AsyncSession, requests: Mapping[UUID, tuple[str, str]]) -> set[UUID]:
    """Claim the requests that were cancelled before they arrived; each id is returned once.

    ``requests`` has the model and the digest of each request, which the cancellation could not know.
    """
    columns = {"ids": list(requests), "models": [model for model, _ in requests.values()]}
    columns["digests"] = [digest for _, digest in requests.values()]
    return set((await session.scalars(_CLAIM_CANCELLED, columns)).all())


_CLAIM_CANCELLED = text(
    "UPDATE prediction SET model = requests.model, request_sha256 = requests.digest FROM unnest("
    "CAST(:ids AS uuid[]), CAST(:models AS text[]), CAST(:digests AS text[])) AS requests (id, model, digest) "
    "WHERE prediction_id = requests.id AND state = 'cancelled' AND prediction.model IS NULL RETURNING prediction_id"
)


async def expire(session: AsyncSession) -> int:
    """Expire results that are due, and delete rows that expired long ago; return how many rows changed.

    Where a result is an object, ``result`` stays until the object is deleted.
    """

    async def lock(*due: ColumnElement[bool]) -> list[UUID]:
        return list((await session.scalars(lock_chunk(PredictionRow, *due, limit=EXPIRE_CHUNK))).all())

    now = func.now()
    emptied = {"state": "expired", "answer": None, "errors": None}
    known = PredictionRow.state != "expired", PredictionRow.model.is_not(None)
    old = await lock(PredictionRow.expires_at < now, *known)
    await session.execute(update(PredictionRow).where(PredictionRow.prediction_id.in_(old)).values(emptied))
    forgotten = PredictionRow.state == "expired", PredictionRow.result.is_(None)
    gone = await lock(PredictionRow.expires_at < now - TOMBSTONE_RETENTION, *forgotten)
    # A cancellation whose request never arrived has no result that could expire.
    gone += await lock(PredictionRow.expires_at < now, PredictionRow.model.is_(None))
    await session.execute(delete(WebhookRow).where(WebhookRow.prediction_id.in_(gone)))
    await session.execute(delete(PredictionRow).where(PredictionRow.prediction_id.in_(gone)))
    return len(old) + len(gone)


async def keep_deletion(session: AsyncSession, model: str) -> None:
    await session.execute(insert(DeletedModelRow).values(model=model).on_conflict_do_nothing())


async def deleted_models(session: AsyncSession) -> Sequence[str]:
    return (await session.scalars(select(DeletedModelRow.model))).all()


async def end_retention(session: AsyncSession, models: Sequence[str]) -> int:
    """Let ended predictions of these models expire now; return how many were to be kept longer, not all at once."""
    kept = PredictionRow.model.in_(models), PredictionRow.state.in_(ENDED), PredictionRow.expires_at > func.now()
    due = (await session.scalars(lock_chunk(PredictionRow, *kept, limit=EXPIRE_CHUNK))).all()
    mine = PredictionRow.prediction_id.in_(due)
    await session.execute(update(PredictionRow).where(mine).values(expires_at=func.now()))
    return len(due)


async def clear_result(session: AsyncSession, prediction_id: UUID) -> None:
    """Drop the reference to a deleted result object."""
    mine = PredictionRow.prediction_id == prediction_id
    await session.execute(update(PredictionRow).where(mine).values(result=None))


async def enqueue_webhooks(session: AsyncSession, wanted: Sequence[tuple[UUID, str]]) -> None:
    """Enqueue webhooks, given as prediction id and URL."""
    if wanted:
        rows = [{"prediction_id": prediction_id, "url": url} for prediction_id, url in wanted]
        await session.execute(insert(WebhookRow).on_conflict_do_nothing(), rows)
        wake_after_commit(session, WebhookRow)


async def claim_webhooks(session: AsyncSession, limit: int, lease: timedelta) -> list[tuple[WebhookRow, PredictionRow]]:
    """Claim due webhooks, with their predictions, until the lease expires; that of a running file is not due yet.

    A lease, and not a lock that lasts as long as the work: a client's slow receiver must not keep a transaction open.
    An attempt is counted when it begins, so that the count identifies it: see :func:`record_attempt`.
    """
    ended = exists().where(PredictionRow.prediction_id == WebhookRow.prediction_id, PredictionRow.state.in_(ENDED))
    due = await claim(session, WebhookRow, WebhookRow.state == "pending", ended, limit=limit)
    for hook in due:
        hook.attempts += 1
        hook.not_before = datetime.now(UTC) + lease
    return [(hook, await session.get_one(PredictionRow, hook.prediction_id)) for hook in due]


async def record_attempt(session: AsyncSession, hook: WebhookRow) -> bool:
    """Record the outcome of an attempt; False where its lease had expired and another attempt has begun."""
    outcome = {name: getattr(hook, name) for name in ("state", "status", "error", "not_before", "delivered_at")}
    ours = WebhookRow.prediction_id == hook.prediction_id, WebhookRow.attempts == hook.attempts
    done = await session.execute(update(WebhookRow).where(*ours).values(outcome).returning(WebhookRow.prediction_id))
    return done.first() is not None
