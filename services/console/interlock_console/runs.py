"""Runs as they follow from events, one event after the other."""

from datetime import datetime
from typing import Any

from interlock_contracts.console import EventView, RunLine
from interlock_contracts.event import Envelope, Event
from interlock_contracts.models import ModelLoadFailed, ModelServing
from interlock_contracts.training import TrainingStarted
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_console import store
from interlock_console.domain import columns, comes_after, meaning
from interlock_console.store import EventRow, RunRow


async def keep(session: AsyncSession, event: Event, envelope: Envelope, now: datetime) -> None:
    """Keep an event with what it means for its run, and tell who looks; one that was kept before changes nothing."""
    values = columns(event, envelope, now)
    if isinstance(event, ModelServing | ModelLoadFailed):
        values["run_id"] = await store.run_of_promotion(session, event.model, event.version)
    seq = await store.keep_event(session, values)
    if seq is None:
        return
    if values["run_id"] is not None and (changes := meaning(event, values["time"])) is not None:
        await _follow(session, values, changes, first=isinstance(event, TrainingStarted) and event.attempt == 1)
    await store.tell(session, "event", str(seq))


async def _follow(session: AsyncSession, values: dict[str, Any], changes: dict[str, Any], *, first: bool) -> None:
    row = await store.locked_run(session, values["run_id"])
    if row is None:
        await _begin(session, values)
        row = await store.locked_run(session, values["run_id"])
    assert row is not None, "it was there before, or is now"
    if "state" in changes and not comes_after(changes["state"], row.state):
        changes = {name: value for name, value in changes.items() if name in ("cause", "requested_at", "started_at")}
    if row.started_at is not None:
        changes.pop("started_at", None)
    for name, value in changes.items():
        setattr(row, name, value)
    row.trace_id = row.trace_id or values["trace_id"]
    await session.flush()
    if first:
        await store.join_waiting(session, row)


async def _begin(session: AsyncSession, values: dict[str, Any]) -> None:
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


def line(row: RunRow) -> RunLine:
    """Return what a list shows of a run."""
    return RunLine.model_validate(
        {
            "run_id": row.run_id,
            "model": row.model,
            "state": row.state,
            "outcome": row.outcome,
            "cause": row.cause,
            "reason": row.reason,
            "attempt": row.attempt,
            "requested": row.requested_at,
            "started": row.started_at,
            "ended": row.ended_at,
            "trace_id": row.trace_id,
            "version": row.version,
            "progress": row.progress,
            "into": row.into,
        }
    )


def event_view(row: EventRow) -> EventView:
    """Return what people see of an event."""
    names = ("id", "type", "source", "subject", "time", "model", "run_id", "trace_id", "data")
    return EventView.model_validate({name: getattr(row, name) for name in names})
