"""Queries of the trace store: spans by trace, incoming links, services and operations, trace search."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, ColumnElement, LargeBinary, Row, and_, cast, exists, func, or_, select, text, true
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from interlock_console.spans import STATUSES, Origin, Span, SpanEvent, SpanLink
from interlock_console.spans.tables import LinkRow, OriginRow, SpanRow

MAX_TRACE_SPANS = 20_000
"""Spans read of one trace at most, the earliest first."""

MAX_SPANS_READ = 50_000
"""Spans read for several traces at most."""

MAX_INCOMING_LINKS = 20
"""Incoming links of one span at most, the newest; a promotion may be linked from a million predictions."""

MAX_SEARCHED_SPANS = 5_000
"""Matching spans of one service that a search considers, the newest."""

OPERATIONS = 1_000
"""Span names listed of one service at most."""

SEARCH_TIMEOUT = "10s"

# Loose index scan, one lookup per name: a service has few names and may have millions of spans.
OPERATIONS_OF = """
WITH RECURSIVE names AS (
    (SELECT name FROM span WHERE service = :service ORDER BY name LIMIT 1)
    UNION ALL
    SELECT (SELECT name FROM span WHERE service = :service AND name > names.name ORDER BY name LIMIT 1)
    FROM names WHERE names.name IS NOT NULL
)
SELECT names.name, newest.kind FROM names CROSS JOIN LATERAL (
    SELECT kind FROM span WHERE service = :service AND name = names.name ORDER BY start_ns DESC LIMIT 1
) newest LIMIT :most
"""


class IncomingLink(NamedTuple):
    """A span that links to ``to_span`` of the requested trace; ids in hex."""

    to_span: str
    trace_id: str
    span_id: str
    name: str
    service: str


class TraceQuery(NamedTuple):
    """A trace search: traces with at least one span that matches every criterion; None matches all.

    Times in nanoseconds, since 1970 where they are points; ``attributes`` are compared as text, with those of the
    span's process as well. The attribute ``error`` matches the span's status. ``before_ns`` is the cursor of the next
    page: only traces whose newest match is older.
    """

    since_ns: int
    until_ns: int
    service: str | None = None
    name: str | None = None
    shortest_ns: int | None = None
    longest_ns: int | None = None
    attributes: dict[str, str] = {}
    limit: int = 20
    before_ns: int | None = None


class SearchTimeoutError(Exception):
    """A search took longer than ``SEARCH_TIMEOUT``; the message says how to narrow it."""


async def spans_of_traces(session: AsyncSession, trace_ids: Sequence[str]) -> dict[str, list[Span]]:
    """Return the spans of each trace that has any, by its id in hex, the earliest first; each span once."""
    wanted = select(func.unnest(_ids(trace_ids)).label("trace_id")).subquery()
    each = (
        select(SpanRow.__table__)
        .where(SpanRow.trace_id == wanted.c.trace_id)
        .order_by(SpanRow.start_ns, SpanRow.span_id)
        .limit(MAX_TRACE_SPANS)
        .lateral()
    )
    same = and_(OriginRow.day == each.c.day, OriginRow.origin_id == each.c.origin_id)
    query = select(each, OriginRow.resource, OriginRow.scope).select_from(wanted).join(each, true())
    rows = await session.execute(
        query.join(OriginRow, same).order_by(each.c.start_ns, each.c.span_id).limit(MAX_SPANS_READ)
    )
    found: dict[str, dict[str, Span]] = {trace_id: {} for trace_id in trace_ids}
    origins: dict[int, Origin] = {}
    for row in rows:
        span = _span(row, origins)
        found[span.trace_id].setdefault(span.span_id, span)
    return {trace_id: list(spans.values()) for trace_id, spans in found.items() if spans}


async def spans_of_trace(session: AsyncSession, trace_id: str) -> list[Span]:
    """Return the spans of one trace, given in hex, the earliest first; each span once, none for an unknown trace."""
    return (await spans_of_traces(session, [trace_id])).get(trace_id, [])


def _ids(texts: Iterable[str]) -> ColumnElement[Any]:
    return cast([bytes.fromhex(each) for each in texts], ARRAY(LargeBinary))


def _span(row: Row[Any], origins: dict[int, Origin]) -> Span:
    more = row.more or {}
    return Span(
        trace_id=row.trace_id.hex(),
        span_id=row.span_id.hex(),
        parent_id=row.parent_id.hex() if row.parent_id else None,
        origin=origins.setdefault(row.origin_id, Origin(row.service, row.resource, row.scope)),
        name=row.name,
        kind=row.kind,
        start_ns=row.start_ns,
        duration_ns=row.duration_ns,
        status=row.status,
        status_message=row.status_message,
        attributes=row.attributes,
        events=[SpanEvent(*each) for each in more.get("events", ())],
        links=[SpanLink(*each) for each in more.get("links", ())],
        state=more.get("state", ""),
        dropped=tuple(more.get("dropped", (0, 0, 0))),
    )


async def incoming_links(session: AsyncSession, trace_id: str, span_ids: Sequence[str]) -> list[IncomingLink]:
    """Return the incoming links of these spans of one trace, for each the newest ``MAX_INCOMING_LINKS``."""
    targets = select(func.unnest(_ids(span_ids)).label("to_span")).subquery()
    newest = (
        select(LinkRow.trace_id, LinkRow.span_id, LinkRow.name, LinkRow.service)
        .where(LinkRow.to_trace == bytes.fromhex(trace_id), LinkRow.to_span == targets.c.to_span)
        .order_by(LinkRow.start_ns.desc())
        .limit(MAX_INCOMING_LINKS)
        .lateral()
    )
    rows = await session.execute(select(targets.c.to_span, newest).join(newest, true()))
    found = [IncomingLink(row[0].hex(), row[1].hex(), row[2].hex(), row[3], row[4]) for row in rows]
    return list(dict.fromkeys(found))


async def services(session: AsyncSession) -> list[str]:
    """Return the names of all services that sent spans, in order."""
    return list(await session.scalars(select(OriginRow.service).distinct().order_by(OriginRow.service)))


async def operations(session: AsyncSession, service: str) -> list[tuple[str, int]]:
    """Return the names of a service's spans in order, each with the kind that its newest has."""
    rows = await session.execute(text(OPERATIONS_OF), {"service": service, "most": OPERATIONS})
    return [(name, kind) for name, kind in rows]


async def search(session: AsyncSession, query: TraceQuery) -> dict[str, int]:
    """Return the newest matching traces: the start of the newest matching span by trace id in hex, the newest first.

    Raises:
        SearchTimeoutError: it took too long.
    """
    await session.execute(text(f"SET LOCAL statement_timeout = '{SEARCH_TIMEOUT}'"))
    # One index lookup per service, whether one or all are searched.
    chosen = select(OriginRow.service).distinct()
    if query.service is not None:
        chosen = chosen.where(OriginRow.service == query.service)
    among = chosen.subquery()
    older = true() if query.before_ns is None else SpanRow.start_ns < query.before_ns
    newest = (
        select(SpanRow.trace_id, SpanRow.start_ns)
        .where(SpanRow.service == among.c.service, older, *_conditions(SpanRow, query))
        .order_by(SpanRow.start_ns.desc())
        .limit(MAX_SEARCHED_SPANS)
        .lateral()
    )
    matching = (
        select(newest.c.trace_id, func.max(newest.c.start_ns).label("start_ns"))
        .select_from(among)
        .join(newest, true())
        .group_by(newest.c.trace_id)
        .subquery()
    )
    statement = select(matching).order_by(matching.c.start_ns.desc()).limit(query.limit)
    if query.before_ns is not None:
        statement = statement.where(~_on_earlier_page(matching.c.trace_id, query, query.before_ns))
    try:
        return {row.trace_id.hex(): row.start_ns for row in await session.execute(statement)}
    except DBAPIError as error:
        if "statement timeout" not in str(error):
            raise
        raise SearchTimeoutError(
            "the search takes too long; name a service and an operation, or a shorter time"
        ) from error


def _on_earlier_page(trace_id: ColumnElement[Any], query: TraceQuery, before_ns: int) -> ColumnElement[bool]:
    """Match a trace that has a newer match, too: it is on the page that this one belongs to."""
    newer = aliased(SpanRow)
    of_service = true() if query.service is None else newer.service == query.service
    return exists().where(
        newer.trace_id == trace_id, newer.start_ns >= before_ns, of_service, *_conditions(newer, query)
    )


def _conditions(span: type[SpanRow], query: TraceQuery) -> list[ColumnElement[bool]]:
    fits: list[ColumnElement[bool]] = [span.start_ns.between(query.since_ns, query.until_ns)]
    if query.name is not None:
        fits.append(span.name == query.name)
    if query.shortest_ns is not None:
        fits.append(span.duration_ns >= query.shortest_ns)
    if query.longest_ns is not None:
        fits.append(span.duration_ns <= query.longest_ns)
    for key, value in query.attributes.items():
        if key == "error":
            failed = span.status == STATUSES.index("ERROR")
            fits.append(failed if value.lower() == "true" else ~failed)
        else:
            of_process = select(OriginRow.origin_id).where(OriginRow.resource.op("->>")(key) == value)
            fits.append(or_(span.attributes.op("->>")(key) == value, span.origin_id.in_(of_process)))
    return fits
