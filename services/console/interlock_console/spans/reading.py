"""Finds spans again: by their trace, by what links to them, by what they are."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, ColumnElement, LargeBinary, Row, and_, cast, func, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_console.spans import STATUSES, Origin, Span, SpanEvent, SpanLink
from interlock_console.spans.tables import LinkRow, OriginRow, SpanRow

LONGEST_TRACE = 20_000
"""Spans of one trace that are read, the earliest first."""

MOST_READ = 50_000
"""Spans that are read for many traces at once."""

LINKS_SHOWN = 20
"""Of all spans that link to one span, the newest so many are told; a promotion may have a million predictions."""

LOOKED_AT = 5_000
"""Of all spans that fit a search, its traces come from the newest so many."""

OPERATIONS = 1_000
"""Names of one service's spans that are listed."""

SEARCH_TIMEOUT = "10s"

# Each name by one look into the index: a service has few names and may have millions of spans.
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


class Linked(NamedTuple):
    """A span that links to ``to_span`` of the trace that was asked about; ids in hex."""

    to_span: str
    trace_id: str
    span_id: str
    name: str
    service: str


class Wanted(NamedTuple):
    """A search: traces in which at least one span is all of this; None where it does not matter.

    Times in nanoseconds, since 1970 where they are points; ``attributes`` are compared as text, with those of the
    span's process as well. ``error`` as an attribute asks how the span ended.
    """

    since_ns: int
    until_ns: int
    service: str | None = None
    name: str | None = None
    shortest_ns: int | None = None
    longest_ns: int | None = None
    attributes: dict[str, str] = {}
    limit: int = 20


async def of_traces(session: AsyncSession, trace_ids: Sequence[str]) -> dict[str, list[Span]]:
    """Return the spans of each trace that has any, by its id in hex, the earliest first; each span once."""
    wanted = select(func.unnest(_ids(trace_ids)).label("trace_id")).subquery()
    each = (
        select(SpanRow.__table__)
        .where(SpanRow.trace_id == wanted.c.trace_id)
        .order_by(SpanRow.start_ns, SpanRow.span_id)
        .limit(LONGEST_TRACE)
        .lateral()
    )
    same = and_(OriginRow.day == each.c.day, OriginRow.origin_id == each.c.origin_id)
    query = select(each, OriginRow.resource, OriginRow.scope).select_from(wanted).join(each, true())
    rows = await session.execute(query.join(OriginRow, same).order_by(each.c.start_ns, each.c.span_id).limit(MOST_READ))
    found: dict[str, dict[str, Span]] = {trace_id: {} for trace_id in trace_ids}
    origins: dict[int, Origin] = {}
    for row in rows:
        span = _span(row, origins)
        found[span.trace_id].setdefault(span.span_id, span)
    return {trace_id: list(spans.values()) for trace_id, spans in found.items() if spans}


async def of_trace(session: AsyncSession, trace_id: str) -> list[Span]:
    """Return the spans of one trace, given in hex, the earliest first; each span once, none for an unknown trace."""
    return (await of_traces(session, [trace_id])).get(trace_id, [])


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


async def linked_to(session: AsyncSession, trace_id: str, span_ids: Sequence[str]) -> list[Linked]:
    """Return who links to these spans of one trace, for each the newest ``LINKS_SHOWN``."""
    targets = select(func.unnest(_ids(span_ids)).label("to_span")).subquery()
    newest = (
        select(LinkRow.trace_id, LinkRow.span_id, LinkRow.name, LinkRow.service)
        .where(LinkRow.to_trace == bytes.fromhex(trace_id), LinkRow.to_span == targets.c.to_span)
        .order_by(LinkRow.start_ns.desc())
        .limit(LINKS_SHOWN)
        .lateral()
    )
    rows = await session.execute(select(targets.c.to_span, newest).join(newest, true()))
    found = [Linked(row[0].hex(), row[1].hex(), row[2].hex(), row[3], row[4]) for row in rows]
    return list(dict.fromkeys(found))


async def services(session: AsyncSession) -> list[str]:
    """Return the names of all services that sent spans, in order."""
    return list(await session.scalars(select(OriginRow.service).distinct().order_by(OriginRow.service)))


async def operations(session: AsyncSession, service: str) -> list[tuple[str, int]]:
    """Return the names of a service's spans in order, each with the kind that its newest has."""
    rows = await session.execute(text(OPERATIONS_OF), {"service": service, "most": OPERATIONS})
    return [(name, kind) for name, kind in rows]


async def search(session: AsyncSession, wanted: Wanted) -> list[str]:
    """Return the ids of the newest traces that fit, in hex.

    Raises:
        DBAPIError: it took longer than ``SEARCH_TIMEOUT``.
    """
    await session.execute(text(f"SET LOCAL statement_timeout = '{SEARCH_TIMEOUT}'"))
    # One look into the index of services for each service, whether one is named or all are meant.
    chosen = select(OriginRow.service).distinct()
    if wanted.service is not None:
        chosen = chosen.where(OriginRow.service == wanted.service)
    among = chosen.subquery()
    newest = (
        select(SpanRow.trace_id, SpanRow.start_ns)
        .where(SpanRow.service == among.c.service, *_conditions(wanted))
        .order_by(SpanRow.start_ns.desc())
        .limit(LOOKED_AT)
        .lateral()
    )
    query = (
        select(newest.c.trace_id)
        .select_from(among)
        .join(newest, true())
        .group_by(newest.c.trace_id)
        .order_by(func.max(newest.c.start_ns).desc())
        .limit(wanted.limit)
    )
    return [trace_id.hex() for trace_id in await session.scalars(query)]


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    fits: list[ColumnElement[bool]] = [SpanRow.start_ns.between(wanted.since_ns, wanted.until_ns)]
    if wanted.name is not None:
        fits.append(SpanRow.name == wanted.name)
    if wanted.shortest_ns is not None:
        fits.append(SpanRow.duration_ns >= wanted.shortest_ns)
    if wanted.longest_ns is not None:
        fits.append(SpanRow.duration_ns <= wanted.longest_ns)
    for key, value in wanted.attributes.items():
        if key == "error":
            failed = SpanRow.status == STATUSES.index("ERROR")
            fits.append(failed if value.lower() == "true" else ~failed)
        else:
            of_process = select(OriginRow.origin_id).where(OriginRow.resource.op("->>")(key) == value)
            fits.append(or_(SpanRow.attributes.op("->>")(key) == value, SpanRow.origin_id.in_(of_process)))
    return fits
