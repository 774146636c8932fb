"""Routes of the read model: runs, events and live events, for the pages and the command line."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from interlock_contracts.catalog import BY_TYPE, Route
from interlock_contracts.console import EventsView, EventType, EventTypesView, RunLanes, RunsView
from interlock_contracts.filters import metric_bounds, tag_filter
from interlock_contracts.training import TrainingProgressed, parse_run_states
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from interlock_runtime.query_parameters import Before, MetricFilter, TagFilter, parsed_query, require_zone
from interlock_runtime.short_ids import IdOrBeginning, whole_id
from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, HeaderParameter, QueryParameter
from litestar.response import ServerSentEvent

from interlock_console import lists, store
from interlock_console.runs import event_view, run_line
from interlock_console.spans import queries
from interlock_console.sse import EventStream, Listener
from interlock_console.timeline import open_steps, run_timeline

EVENTS_OF_RUN = 2_000
NEWEST = "-requested"
"""The order of runs where none is asked for."""

LARGEST_SEQ = 2**63 - 1

Limit = Annotated[int, QueryParameter(ge=1, le=500)]


@get("/view/runs", opt={SCOPE: "read"})
async def list_runs(
    database: NamedDependency[Database],
    *,
    model: FromQuery[str | None] = None,
    text: Annotated[str | None, QueryParameter(max_length=200)] = None,
    states: Annotated[str | None, QueryParameter(name="state", max_length=200)] = None,
    cause: Annotated[str | None, QueryParameter(max_length=200)] = None,
    tag: TagFilter = None,
    metric: MetricFilter = None,
    since: FromQuery[datetime | None] = None,
    sort: Annotated[str, QueryParameter(max_length=100)] = NEWEST,
    before: Before = None,
    offset: Annotated[int, QueryParameter(ge=0, le=100_000)] = 0,
    limit: Limit = 50,
) -> RunsView:
    """List runs, the newest first; ``before`` is the cursor of the next page, ``offset`` where ``sort`` says otherwise.

    ``sort`` is one of requested, duration, model, state, version, requested_by or metrics.<name>; ``-`` reverses it.

    ``text`` is a part of the model's name, or the beginning of the run's or the trace's id; ``state`` may name several,
    separated by commas; ``cause`` is the type of the event that caused the run; ``since`` and ``before`` are times of
    the request.
    """
    require_zone(since=since, before=before)
    try:
        chosen = parse_run_states(states)
    except ValueError as error:
        raise problem(400, "Unknown state", f"state: {error}") from error
    bounds = parsed_query("metric", metric, metric_bounds, status=422)
    wanted = lists.RunFilter(
        model=model, text=text, states=chosen, cause=cause, tags=tag_filter(tag), metrics=bounds, since=since
    )
    try:
        order = lists.RunOrder.parse(sort)
    except ValueError as error:
        raise problem(400, "Unknown order", f"sort: {error}") from error
    async with database.sessions() as session:
        rows = await lists.run_rows(session, wanted, order, before=before, offset=offset, limit=limit)
        tags = await lists.tags_of(session, [row.run_id for row in rows])
        total = await lists.count_runs(session, wanted)
    more = len(rows) == limit
    older = rows[-1].requested_at if more and sort == NEWEST else None
    following = offset + limit if more and sort != NEWEST else None
    return RunsView(runs=[run_line(row, tags) for row in rows], before=older, offset=following, total=total)


@get("/view/runs/{run_id:str}", opt={SCOPE: "read"})
async def read_run(run_id: IdOrBeginning, database: NamedDependency[Database]) -> RunLanes:
    """Return a run with its timeline."""
    whole = await whole_id(database, store.RunRow.run_id, run_id, "run")
    async with database.sessions() as session:
        row = await session.get(store.RunRow, whole)
        if row is None:
            detail = f"no run {whole} is known yet; a run just requested takes a moment"
            raise problem(404, "Unknown run", detail, headers={"Retry-After": "1"})
        events = await store.events_of_run(session, whole, EVENTS_OF_RUN)
        tags = await lists.tags_of(session, [whole])
        spans = await queries.spans_of_trace(session, row.trace_id) if row.trace_id else []
    found = run_timeline(str(whole), row.state, events, spans)
    return RunLanes(**run_line(row, tags).model_dump(), lanes=found, open=open_steps(found))


@get("/view/events", opt={SCOPE: "read"})
async def list_events(
    database: NamedDependency[Database],
    *,
    types: Annotated[str | None, QueryParameter(name="type", max_length=1000)] = None,
    model: FromQuery[str | None] = None,
    run: FromQuery[UUID | None] = None,
    before: Annotated[int | None, QueryParameter(ge=1, le=LARGEST_SEQ)] = None,
    limit: Limit = 100,
) -> EventsView:
    """List the newest stored events; ``type`` may name several, separated by commas."""
    wanted = _types(types)
    async with database.sessions() as session:
        rows = await store.events(session, types=sorted(wanted), model=model, run_id=run, before=before, limit=limit)
    return EventsView(events=[event_view(row) for row in rows], before=rows[-1].seq if len(rows) == limit else None)


@get("/view/event-types", opt={SCOPE: "read"}, sync_to_thread=False)
def list_event_types() -> EventTypesView:
    """List the types of events, and when each is true."""
    return EVENT_TYPES


def _event_type(route: Route) -> EventType:
    description = (route.event.__doc__ or "").partition("\n\n")[0]
    frequent = route.ephemeral or route.event is TrainingProgressed
    return EventType(type=route.event.type, description=" ".join(description.split()), frequent=frequent)


EVENT_TYPES = EventTypesView(types=[_event_type(route) for route in BY_TYPE.values()])


@get("/view/live", media_type="text/event-stream", opt={SCOPE: "read"})
async def stream_events(
    event_stream: NamedDependency[EventStream],
    types: Annotated[str | None, QueryParameter(name="type", max_length=1000)] = None,
    model: FromQuery[str | None] = None,
    run: FromQuery[UUID | None] = None,
    last: Annotated[str | None, HeaderParameter(name="Last-Event-ID", max_length=30)] = None,
) -> ServerSentEvent:
    """Stream live events, each under its type, and ``spans`` with the ids of traces that have new ones.

    ``dropped`` counts ephemeral events that were left out; ``reset`` says that events may be missing: reload.
    """
    if event_stream.is_full:
        raise problem(503, "Too many listeners", "try again later", headers={"Retry-After": "10"})
    listener = Listener(_types(types), model, str(run) if run is not None else None)
    since = int(last) if last is not None and last.isdigit() and int(last) <= LARGEST_SEQ else None
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return ServerSentEvent(event_stream.stream(listener, since), headers=headers)


def _types(words: str | None) -> frozenset[str]:
    wanted = frozenset(word.strip() for word in (words or "").split(",") if word.strip())
    if unknown := sorted(wanted - BY_TYPE.keys()):
        raise problem(400, "Unknown event type", f"type is one of {', '.join(sorted(BY_TYPE))}, not {unknown[0]!r}")
    return wanted


ROUTES: list[HTTPRouteHandler | Any] = [list_runs, read_run, list_events, list_event_types, stream_events]
