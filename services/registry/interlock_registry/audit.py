"""Who did what: written in the transaction that does it, never changed."""

from typing import Annotated, Any

from interlock_contracts.access import AuditEntry
from interlock_contracts.event import trace_id_of
from interlock_messaging.outbox import current_traceparent
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_registry.store import AuditRow

GATE = "service/evaluation_gate"
"""Who promotes where no person has to."""


def record(session: AsyncSession, caller_name: str, action: str, subject: str, **details: Any) -> None:
    """Add an entry to the transaction: it is there if, and only if, what it tells of is.

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
    before: FromQuery[int | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> list[AuditEntry]:
    """Return what was done, the newest first: by whom, which action, to what (or to what lies below it).

    ``before`` is the id of the last entry of the page before.
    """
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    if by is not None:
        query = query.where(AuditRow.by == by)
    if action is not None:
        query = query.where(AuditRow.action == action)
    if subject is not None:
        below = AuditRow.subject.startswith(f"{subject}/", autoescape=True)
        query = query.where(or_(AuditRow.subject == subject, below))
    if before is not None:
        query = query.where(AuditRow.id < before)
    async with database.sessions() as session:
        return [AuditEntry.model_validate(row, from_attributes=True) for row in await session.scalars(query)]


ROUTES = [read_audit]
