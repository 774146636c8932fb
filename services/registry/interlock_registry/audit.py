"""Audit log: who did what, written in the transaction that does it, never changed."""

from datetime import datetime
from typing import Annotated, Any

from interlock_contracts.access import AuditEntry
from interlock_contracts.event import trace_id_of
from interlock_messaging.outbox import current_traceparent
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.query_parameters import require_zone
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_registry.store import AuditRow

GATE = "service/evaluation_gate"
"""Who promotes where no person has to."""


def record(session: AsyncSession, caller_name: str, action: str, subject: str, **details: Any) -> None:
    """Add an entry to the transaction: it is committed if, and only if, the change is.

    ``action`` is what happened, ``version.approved`` for instance; ``subject`` to what, ``model/flights``.
    ``details`` are plain JSON; what has no value is left out.
    """
    session.add(
        AuditRow(
            by=caller_name,
            action=action,
            subject=subject,
            details={name: value for name, value in details.items() if value is not None},
            trace_id=trace_id_of(current_traceparent()),
        )
    )


@get("/audit", opt={SCOPE: "admin"})
async def read_audit(
    database: NamedDependency[Database],
    *,
    by: FromQuery[str | None] = None,
    action: FromQuery[str | None] = None,
    subject: FromQuery[str | None] = None,
    model: FromQuery[str | None] = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    before: FromQuery[int | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> list[AuditEntry]:
    """Return what was done, the newest first: by whom, which action, to what (or to what lies below it), and when.

    ``model`` finds what was done to a model, its versions, its pipeline and its runs. ``before`` is the id of the last
    entry of the page before.
    """
    require_zone(since=since, until=until)
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    if by is not None:
        query = query.where(AuditRow.by == by)
    if action is not None:
        query = query.where(AuditRow.action == action)
    if subject is not None:
        query = query.where(_about(subject))
    if model is not None:
        of_model = AuditRow.details["model"].as_string() == model
        query = query.where(or_(_about(f"model/{model}"), _about(f"pipeline/{model}"), of_model))
    if since is not None:
        query = query.where(AuditRow.at >= since)
    if until is not None:
        query = query.where(AuditRow.at < until)
    if before is not None:
        query = query.where(AuditRow.id < before)
    async with database.sessions() as session:
        return [AuditEntry.model_validate(row, from_attributes=True) for row in await session.scalars(query)]


def _about(subject: str) -> ColumnElement[bool]:
    return or_(AuditRow.subject == subject, AuditRow.subject.startswith(f"{subject}/", autoescape=True))


ROUTES = [read_audit]
