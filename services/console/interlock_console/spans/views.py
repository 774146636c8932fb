"""Views of a trace for the pages and `interlock trace`, including open and orphan spans."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from interlock_contracts import telemetry
from interlock_contracts.console import TraceLine, TraceService

from interlock_console.spans import KINDS, STATUSES, Span
from interlock_console.spans.queries import IncomingLink

ERROR = STATUSES.index("ERROR")


def orphans(spans: Sequence[Span]) -> list[Span]:
    """Return the spans whose parent is missing."""
    here = {span.span_id for span in spans}
    return [span for span in spans if span.parent_id is not None and span.parent_id not in here]


def label(span: Span) -> str:
    """Return the span's name, with which of them it is for a trial, a candidate and a search."""
    if span.name == telemetry.SPAN_TRIAL and telemetry.TRIAL in span.attributes:
        return f"{span.name} {span.attributes[telemetry.TRIAL]}"
    if span.name in (telemetry.SPAN_CANDIDATE, telemetry.SPAN_SEARCH) and telemetry.CANDIDATE in span.attributes:
        return f"{span.name} {span.attributes[telemetry.CANDIDATE]}"
    return span.name


def trace_line(trace_id: str, spans: Sequence[Span]) -> TraceLine:
    """Return a trace in short; ``spans`` are all of it, the earliest first."""
    root = next((span for span in spans if span.parent_id is None), spans[0])
    services: dict[str, list[Span]] = {}
    for span in spans:
        services.setdefault(span.origin.service, []).append(span)
    start = min(span.start_ns for span in spans)
    return TraceLine(
        trace_id=trace_id,
        root_service=root.origin.service,
        root_name=root.name,
        start_ns=start,
        duration_ns=max(span.end_ns for span in spans) - start,
        spans=len(spans),
        errors=_error_count(spans),
        orphans=len(orphans(spans)),
        services=[TraceService(name=name, spans=len(of), errors=_error_count(of)) for name, of in services.items()],
    )


def _error_count(spans: Iterable[Span]) -> int:
    return sum(span.status == ERROR for span in spans)


def trace_view(trace_id: str, spans: Sequence[Span], linked: Iterable[IncomingLink] = ()) -> dict[str, Any]:
    """Return a trace as JSON: its spans, the earliest first, each with its incoming links.

    A span is sent when it ends, so a missing parent has not ended, or was lost: ``open`` has each missing parent with
    its children and the start of the first; ``orphans`` are the children.
    """
    linked_from: dict[str, list[dict[str, str]]] = defaultdict(list)
    for each in linked:
        linked_from[each.to_span].append(
            {"trace_id": each.trace_id, "span_id": each.span_id, "name": each.name, "service": each.service}
        )
    alone = orphans(spans)
    return {
        "trace_id": trace_id,
        "spans": [_span_view(span, linked_from[span.span_id]) for span in spans],
        "orphans": [span.span_id for span in alone],
        "open": _open(alone),
    }


def _open(alone: Iterable[Span]) -> list[dict[str, Any]]:
    children: dict[str, list[Span]] = defaultdict(list)
    for span in alone:
        children[span.parent_id or ""].append(span)
    return [
        {
            "span_id": parent,
            "since_ns": min(span.start_ns for span in below),
            "children": [span.span_id for span in below],
        }
        for parent, below in children.items()
    ]


def _span_view(span: Span, linked_from: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "service": span.origin.service,
        "name": span.name,
        "label": label(span),
        "kind": KINDS[span.kind],
        "start_ns": span.start_ns,
        "duration_ns": span.duration_ns,
        "status": STATUSES[span.status],
        "status_message": span.status_message,
        "attributes": span.attributes,
        "resource": span.origin.resource,
        "events": [each._asdict() for each in span.events],
        "links": [each._asdict() for each in span.links],
        "linked_from": linked_from,
    }
