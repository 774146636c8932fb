"""Decisions of the console: the projection of events to runs, and CSRF protection."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from interlock_contracts.datasets import DatasetIngested
from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.event import Envelope, Event, run_id, trace_id_of
from interlock_contracts.models import ModelPromoted, ModelRegistered
from interlock_contracts.training import (
    RetrainRequested,
    TrainingFailed,
    TrainingProgressed,
    TrainingQueued,
    TrainingStarted,
)

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""An event from before, or from the future, would stand at an end of every list for ever."""


def columns(event: Event, envelope: Envelope, now: datetime) -> dict[str, Any]:
    """Return the columns of an event's row; ``now`` is its time where the producer gives none that can be."""
    data = event.model_dump(mode="json", exclude_none=True)
    return {
        "id": envelope.identity,
        "type": event.type,
        "source": envelope.source,
        "subject": event.subject,
        "time": envelope.time if envelope.time is not None and EARLIEST <= envelope.time <= now else now,
        "model": getattr(event, "model", None) or getattr(event, "pipeline", None),
        "version": getattr(event, "version", None),
        "run_id": run_of(event, envelope),
        "trace_id": trace_id_of(envelope.traceparent),
        "data": data,
    }


def run_of(event: Event, envelope: Envelope) -> UUID | None:
    """Return the run that an event belongs to: the one that it names, or may cause."""
    if isinstance(event, RetrainRequested):
        return run_id(envelope.identity, event.model)
    if isinstance(event, DatasetIngested):
        return run_id(envelope.identity, event.pipeline)
    if isinstance(event, ModelPromoted) and event.cause == "rollback":
        return None  # it names the run that once trained what serves again
    named = getattr(event, "run_id", None)
    return named if isinstance(named, UUID) else None


def run_changes(event: Event, at: datetime) -> dict[str, Any] | None:
    """Return the columns of its run that an event changes, None where it changes none.

    A request makes a queued run; whether it is coalesced into another shows only when that one starts. A dataset may
    start no run, so its run is inserted when it starts.
    """
    changes: dict[str, Any] | None = None
    match event:
        case RetrainRequested():
            changes = {"state": "queued", "cause": event.type, "requested_at": at, "request_reason": event.why}
        case TrainingQueued():
            changes = {"requested_by": event.by}
        case TrainingStarted():
            changes = {"state": "running", "attempt": event.attempt, "started_at": at, "reason": None}
        case TrainingProgressed():
            changes = {"progress": event.model_dump(mode="json", exclude={"run_id", "model"})}
        case TrainingFailed():
            changes = {"state": event.outcome, "outcome": "none", "reason": event.reason, "ended_at": at}
        case ModelRegistered():
            changes = {"version": event.version}
        case EvaluationPassed():
            changes = {"state": "succeeded", "outcome": "waiting", "version": event.version, "ended_at": at}
            changes["metrics"] = event.metrics
        case EvaluationFailed():
            changes = {"state": "refused", "outcome": "refused", "version": event.version, "ended_at": at}
            changes |= {"reason": "; ".join(event.reasons), "metrics": event.metrics}
        case ModelPromoted():
            changes = {"state": "succeeded", "outcome": "promoted", "version": event.version, "ended_at": at}
    return changes


LATE = ("cause", "requested_at", "request_reason", "started_at")
"""Columns that an event changes however late it comes: they are of the run's beginning."""

ORDER: Mapping[str, int] = {"queued": 0, "coalesced": 1, "running": 2}
"""States of a run in their order; all others are final."""


def may_follow(state: str, present: str) -> bool:
    """Return whether a run may go from state ``present`` to ``state``: a late event never sets it back."""
    last = len(ORDER)
    return ORDER.get(state, last) >= ORDER.get(present, last)


SAFE = ("GET", "HEAD", "OPTIONS")


def is_same_origin(method: str, headers: Mapping[bytes, bytes], *, unmarked: bool = False) -> bool:
    """CSRF check: return whether a request is safe (read-only), or comes from the console's own origin.

    Browsers mark the origin of a request in ``Sec-Fetch-Site``, older ones in ``Origin``; ``unmarked`` is the result
    for a request with neither, which no current browser sends.
    """
    if method in SAFE:
        return True
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None:
        return site == b"same-origin"
    if origin is not None:
        return origin.partition(b"://")[2] == headers.get(b"host", b"")
    return unmarked


MAX_TEXT = 200


def scalar_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scalar fields of an event's data: rows and answers, which are nested, are not shown to everybody."""
    return {name: value for name, value in data.items() if isinstance(value, bool | int | float)} | {
        name: value[:MAX_TEXT] for name, value in data.items() if isinstance(value, str)
    }
