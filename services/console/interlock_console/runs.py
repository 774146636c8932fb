"""Projection (read model): runs derived from events, one event after the other."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from interlock_contracts.console import EventView, RunLine
from interlock_contracts.event import Envelope, Event
from interlock_contracts.models import ModelLoadFailed, ModelServing
from interlock_contracts.training import TrainingStarted
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_console import store
from interlock_console.domain import LATE, columns, may_follow, run_changes
from interlock_console.store import EventRow, RunRow


async def project_event(session: AsyncSession, event: Event, envelope: Envelope, now: datetime) -> None:
    """Insert an event, apply it to its run, and notify the pages; idempotent."""
    values = columns(event, envelope, now)
    if isinstance(event, ModelServing | ModelLoadFailed):
        values["run_id"] = await store.run_of_promotion(session, event.model, event.version)
    seq = await store.insert_event(session, values)
    if seq is None:
        return
    if values["run_id"] is not None and (changes := run_changes(event, values["time"])) is not None:
        await _update_run(session, values, changes, first=isinstance(event, TrainingStarted) and event.attempt == 1)
    await store.notify(session, "event", str(seq))


async def _update_run(session: AsyncSession, values: dict[str, Any], changes: dict[str, Any], *, first: bool) -> None:
    row = await store.lock_run(session, values["run_id"])
    if row is None:
        await _insert_run(session, values)
        row = await store.lock_run(session, values["run_id"])
    assert row is not None, "inserted above, unless it existed"
    if "state" in changes and not may_follow(changes["state"], row.state):
        changes = {name: value for name, value in changes.items() if name in LATE}
    if row.started_at is not None:
        changes.pop("started_at", None)
    for name, value in changes.items():
        setattr(row, name, value)
    row.trace_id = row.trace_id or values["trace_id"]
    await session.flush()
    if first:
        await store.coalesce_waiting(session, row)


async def _insert_run(session: AsyncSession, values: dict[str, Any]) -> None:
    cause = await store.cause_of(session, values["run_id"])
    run = {
        "run_id": values["run_id"],
        "model": values["model"],
        "state": "queued",
        "cause": cause.type if cause else None,
        "requested_at": cause.time if cause else values["time"],
        "trace_id": cause.trace_id if cause else None,
    }
    await store.add_run(session, run)


def run_line(row: RunRow, tags: Mapping[UUID, dict[str, str]] = MappingProxyType({})) -> RunLine:
    """Return a run as lists show it; ``tags`` are those of its request, by run."""
    return RunLine.model_validate(
        {
            "run_id": row.run_id,
            "model": row.model,
            "state": row.state,
            "outcome": row.outcome,
            "cause": row.cause,
            "requested_by": row.requested_by,
            "request_reason": row.request_reason,
            "tags": tags.get(row.run_id, {}),
            "reason": row.reason,
            "attempt": row.attempt,
            "requested": row.requested_at,
            "started": row.started_at,
            "ended": row.ended_at,
            "trace_id": row.trace_id,
            "version": row.version,
            "metrics": row.metrics or {},
            "progress": row.progress,
            "into": row.into,
        }
    )


def event_view(row: EventRow) -> EventView:
    names = ("id", "type", "source", "subject", "time", "model", "run_id", "trace_id", "data")
    return EventView.model_validate({name: getattr(row, name) for name in names})
