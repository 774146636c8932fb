"""Spans of traces, read from the console or from span files."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, model_validator


class Link(BaseModel):
    """A link of a span to another one, for instance to the promotion of its model."""

    trace_id: str
    span_id: str


class Span(BaseModel):
    """One span; times in nanoseconds since the epoch. The console sends ``duration_ns``, a span file has ``end_ns``."""

    trace_id: str
    span_id: str
    parent_id: str | None = None
    service: str | None = None
    name: str
    start_ns: int
    end_ns: int
    status: str = "UNSET"
    status_message: str | None = None
    attributes: dict[str, Any] = {}
    links: list[Link] = []

    @model_validator(mode="before")
    @classmethod
    def _ends_after_its_duration(cls, data: Any) -> Any:
        if isinstance(data, dict) and "end_ns" not in data and "duration_ns" in data:
            return data | {"end_ns": data["start_ns"] + data["duration_ns"]}
        return data

    @property
    def short_service(self) -> str:
        """Return the service's name without the prefix ``interlock-``."""
        return (self.service or "").removeprefix("interlock-")

    @property
    def failed(self) -> bool:
        """Return whether the span ended with an error."""
        return self.status.upper().endswith("ERROR")


class Trace:
    """The spans of one trace as a forest: a span whose parent is missing is a root, too."""

    def __init__(self, trace_id: str, spans: list[Span]) -> None:
        self.trace_id = trace_id
        self.spans = sorted(spans, key=lambda span: (span.start_ns, span.end_ns))

    @cached_property
    def _children(self) -> dict[str | None, list[Span]]:
        known = {span.span_id for span in self.spans}
        found: dict[str | None, list[Span]] = defaultdict(list)
        for span in self.spans:
            found[span.parent_id if span.parent_id in known else None].append(span)
        return found

    @property
    def roots(self) -> list[Span]:
        """Return the spans without a known parent, earliest first."""
        return self._children.get(None, [])

    def children(self, span: Span) -> list[Span]:
        """Return a span's children, the earliest first."""
        return self._children.get(span.span_id, [])

    @property
    def begin_ns(self) -> int:
        """Return when the first span began."""
        return min(span.start_ns for span in self.spans)

    @property
    def end_ns(self) -> int:
        """Return when the last span ended."""
        return max(span.end_ns for span in self.spans)

    def plain(self, span: Span) -> dict[str, Any]:
        """Return a span with everything below it as plain JSON data."""
        return span.model_dump() | {"children": [self.plain(child) for child in self.children(span)]}


def read(folder: Path) -> Iterator[Span]:
    """Yield the spans of every file in a folder; an incomplete last line is skipped."""
    for file in sorted(folder.glob("*.jsonl")):
        with file.open() as lines:
            for line in lines:
                if line.endswith("\n"):
                    yield Span.model_validate_json(line)
