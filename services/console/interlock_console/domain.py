"""What an event is about, in columns."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from interlock_contracts.event import Envelope, Event


def columns(event: Event, envelope: Envelope, now: datetime) -> dict[str, Any]:
    """Return the columns of an event's row; ``now`` stands for a time that its producer does not tell."""
    data = event.model_dump(mode="json", exclude_none=True)
    run_id = getattr(event, "run_id", None)
    return {
        "id": envelope.id,
        "type": event.type,
        "source": envelope.source,
        "subject": event.subject,
        "time": (envelope.time or now).astimezone(UTC),
        "model": getattr(event, "model", None) or getattr(event, "pipeline", None),
        "version": getattr(event, "version", None),
        "run_id": run_id if isinstance(run_id, UUID) else None,
        "trace_id": trace_id_of(envelope.traceparent),
        "data": data,
    }


def trace_id_of(traceparent: str | None) -> str | None:
    """Return the trace id in a W3C ``traceparent``, None where there is none."""
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) == 4 and len(parts[1]) == 32 else None  # noqa: PLR2004 - version-trace-span-flags
