"""Tables of the trace store, partitioned by day of arrival; a day is dropped as a whole when it expires."""

from datetime import date
from typing import Any

from sqlalchemy import JSON, BigInteger, LargeBinary, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from interlock_console.store import Table


class OriginRow(Table):
    """Resource and scope of spans, by day; ``origin_id`` is a hash of the content, so writers need no lookup."""

    __tablename__ = "span_origin"

    day: Mapped[date] = mapped_column(primary_key=True)
    origin_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    service: Mapped[str]
    resource: Mapped[dict[str, Any]] = mapped_column(JSON)
    scope: Mapped[dict[str, str]] = mapped_column(JSON)


class SpanRow(Table):
    """One span, by day of arrival; append-only: one that an exporter sent twice is stored twice.

    Attributes are JSON and not JSONB: they are read whole, and a number stays as it was sent. ``more`` holds what most
    spans lack: events, links, tracestate, and counts of what was dropped.
    """

    __tablename__ = "span"

    day: Mapped[date] = mapped_column(primary_key=True)
    trace_id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    span_id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    parent_id: Mapped[bytes | None] = mapped_column(LargeBinary)
    origin_id: Mapped[int] = mapped_column(BigInteger)
    service: Mapped[str]
    name: Mapped[str]
    kind: Mapped[int] = mapped_column(SmallInteger)
    start_ns: Mapped[int] = mapped_column(BigInteger)
    duration_ns: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[int] = mapped_column(SmallInteger)
    status_message: Mapped[str]
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON)
    more: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class LinkRow(Table):
    """A span's link to another span, indexed by its target; ``start_ns`` is the linking span's."""

    __tablename__ = "span_link"

    day: Mapped[date] = mapped_column(primary_key=True)
    to_trace: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    to_span: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    trace_id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    span_id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    service: Mapped[str]
    name: Mapped[str]
    start_ns: Mapped[int] = mapped_column(BigInteger)


PARTITIONED = ("span", "span_link")
"""Tables with one partition per day."""
