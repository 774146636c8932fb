"""Trace store: the span model, its tables, writer, queries and views."""

from typing import Any, NamedTuple

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
"""OTLP's span kinds, by number."""

STATUSES = ("UNSET", "OK", "ERROR")
"""OTLP's status codes, by number."""


class Origin(NamedTuple):
    """Resource and instrumentation scope of a span: attributes of its process, name and version of the library."""

    service: str
    resource: dict[str, Any]
    scope: dict[str, str]


class SpanEvent(NamedTuple):
    """An event of a span, at ``time_ns`` since 1970."""

    name: str
    time_ns: int
    attributes: dict[str, Any]


class SpanLink(NamedTuple):
    """A link to another span; ids in hex."""

    trace_id: str
    span_id: str
    attributes: dict[str, Any]


class Span(NamedTuple):
    """One span that has ended; ids in hex, ``start_ns`` since 1970.

    ``state`` is W3C's tracestate; ``dropped`` counts the attributes, events and links that the sender or a limit here
    left out.
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
        """End of the span, in nanoseconds since 1970."""
        return self.start_ns + self.duration_ns
