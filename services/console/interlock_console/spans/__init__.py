"""Spans: what one is, where they are kept, and how they are found again."""

from typing import Any, NamedTuple

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
"""Names of OTLP's numbers for what a span is."""

STATUSES = ("UNSET", "OK", "ERROR")
"""Names of OTLP's numbers for how a span ended."""


class Origin(NamedTuple):
    """Where a span was made: the attributes of its process, and the name and version of what made it there."""

    service: str
    resource: dict[str, Any]
    scope: dict[str, str]


class SpanEvent(NamedTuple):
    """Something that happened during a span, at ``time_ns`` since 1970."""

    name: str
    time_ns: int
    attributes: dict[str, Any]


class SpanLink(NamedTuple):
    """Another span that a span names; ids in hex."""

    trace_id: str
    span_id: str
    attributes: dict[str, Any]


class Span(NamedTuple):
    """One span that has ended; ids in hex, ``start_ns`` since 1970.

    ``state`` is W3C's tracestate; ``dropped`` counts the attributes, events and links that the sender, or a limit of
    ours, left out.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    origin: Origin
    name: str
    kind: int
    start_ns: int
    duration_ns: int
    status: int
    status_message: str
    attributes: dict[str, Any]
    events: list[SpanEvent]
    links: list[SpanLink]
    state: str
    dropped: tuple[int, int, int]

    @property
    def end_ns(self) -> int:
        """Return when it ended, since 1970."""
        return self.start_ns + self.duration_ns
