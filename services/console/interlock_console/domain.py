"""What an event is about, what it means for a run, and which requests a cookie counts for."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from interlock_contracts.datasets import DatasetIngested
from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.event import Envelope, Event, run_id
from interlock_contracts.models import ModelPromoted, ModelRegistered
from interlock_contracts.training import RetrainRequested, TrainingFailed, TrainingProgressed, TrainingStarted


def columns(event: Event, envelope: Envelope, now: datetime) -> dict[str, Any]:
    """Return the columns of an event's row; ``now`` stands for a time that its producer does not tell."""
    data = event.model_dump(mode="json", exclude_none=True)
    return {
        "id": envelope.id,
        "type": event.type,
        "source": envelope.source,
        "subject": event.subject,
        "time": (envelope.time or now).astimezone(UTC),
        "model": getattr(event, "model", None) or getattr(event, "pipeline", None),
        "version": getattr(event, "version", None),
        "run_id": run_of(event, envelope),
        "trace_id": trace_id_of(envelope.traceparent),
        "data": data,
    }


def run_of(event: Event, envelope: Envelope) -> UUID | None:
    """Return the run that an event belongs to: the one that it names, or the one that it may be the cause of."""
    if isinstance(event, RetrainRequested):
        return run_id(envelope.id, event.model)
    if isinstance(event, DatasetIngested):
        return run_id(envelope.id, event.pipeline)
    if isinstance(event, ModelPromoted) and event.cause == "rollback":
        return None  # it names the run that once trained what serves again
    named = getattr(event, "run_id", None)
    return named if isinstance(named, UUID) else None


def meaning(event: Event, at: datetime) -> dict[str, Any] | None:
    """Return the columns of its run that an event changes, None where it changes none.

    A request makes a run that waits; that it was joined to another shows only when that one starts. A file may start
    none at all, so its run is there when it starts.
    """
    changes: dict[str, Any] | None = None
    match event:
        case RetrainRequested():
            changes = {"state": "queued", "cause": event.type, "reason": event.reason, "requested_at": at}
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
        case EvaluationFailed():
            changes = {"state": "refused", "outcome": "refused", "version": event.version, "ended_at": at}
            changes["reason"] = "; ".join(event.reasons)
        case ModelPromoted():
            changes = {"state": "succeeded", "outcome": "promoted", "version": event.version, "ended_at": at}
    return changes


ORDER: Mapping[str, int] = {"queued": 0, "coalesced": 1, "running": 2}
"""A run's states in the order in which it comes to them; all others are its end."""


def comes_after(state: str, present: str) -> bool:
    """Return whether a run that is in one state may come to another: news that is late takes nothing back."""
    last = len(ORDER)
    return ORDER.get(state, last) >= ORDER.get(present, last)


def trace_id_of(traceparent: str | None) -> str | None:
    """Return the trace id in a W3C ``traceparent``, None where there is none."""
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) == 4 and len(parts[1]) == 32 else None  # noqa: PLR2004 - version-trace-span-flags


SAFE = ("GET", "HEAD", "OPTIONS")


def counts_for(method: str, headers: Mapping[bytes, bytes], *, unmarked: bool = False) -> bool:
    """Return whether a request with these headers is our own page's doing, or changes nothing.

    Browsers mark where a request comes from, newer ones in ``Sec-Fetch-Site``, all others in ``Origin``; ``unmarked``
    is what counts for a request with neither, which no browser of today sends.
    """
    if method in SAFE:
        return True
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None:
        return site == b"same-origin"
    if origin is not None:
        return origin.partition(b"://")[2] == headers.get(b"host", b"")
    return unmarked


LONGEST_WORD = 200


def shallow(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event's data without what is nested: rows and answers are for whoever asked, not for all who look."""
    return {name: value for name, value in data.items() if isinstance(value, bool | int | float)} | {
        name: value[:LONGEST_WORD] for name, value in data.items() if isinstance(value, str)
    }
