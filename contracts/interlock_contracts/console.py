"""Bodies of the console's REST API: sessions of its pages, events, timelines of runs, health and traffic."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from interlock_contracts.access import Scope
from interlock_contracts.http import Body, Request
from interlock_contracts.training import RunState

LOCAL_ADDRESS = r"^/([A-Za-z0-9_.~?=&%:+-][A-Za-z0-9_.~?=&%:+/-]*)?$"
"""An address of the console's own; two slashes at its beginning would lead to another host."""


class SessionRequest(Request):
    """A key, or a token of the issuer's, to open a session of the pages with."""

    key: str = Field(min_length=8, max_length=3800, pattern=r"^[A-Za-z0-9._~+/=-]+$")


class SessionView(Body):
    """Whose session it is, and what it may do."""

    name: str
    scopes: list[Scope]


class TicketRequest(Request):
    """A request for a one-time sign-in address; ``to`` is the page that it leads to."""

    to: str = Field(default="/", max_length=500, pattern=LOCAL_ADDRESS)


class TicketView(Body):
    """An address that opens a session in the name of whoever asked for it: once, until ``expires_at``."""

    address: str
    expires_at: datetime


class EnterRequest(Request):
    """The ticket of such an address."""

    ticket: str = Field(min_length=20, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")


class EventView(Body):
    """One event; ``id`` is its identity: ``source#id`` of one that no service of ours has published.

    ``data`` of those that the console does not keep has no rows in it, nor anything else nested.
    """

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    model: str | None = None
    run_id: UUID | None = None
    trace_id: str | None = None
    data: dict[str, Any]


class EventsView(Body):
    """Events, the newest first; ``before`` asks for those that come next, None where there are no more."""

    events: list[EventView]
    before: int | None = None


class EventType(Body):
    """A type of events, and when it is true. ``frequent``: ephemeral ones, and progress."""

    type: str
    description: str
    frequent: bool


class EventTypesView(Body):
    """Every type of the catalog, in the order of a model's life."""

    types: list[EventType]


class RunLine(Body):
    """One run, projected from events; ``outcome`` is that of its model: promoted, waiting, refused or none.

    ``requested_by``, ``request_reason`` and ``tags`` are as in :class:`RunView`; ``metrics`` are the gate's on the
    holdout.
    """

    run_id: UUID
    model: str
    state: RunState
    outcome: str | None = None
    cause: str | None = None
    requested_by: str | None = None
    request_reason: str | None = None
    tags: dict[str, str] = {}
    reason: str | None = None
    attempt: int = 0
    requested: datetime
    started: datetime | None = None
    ended: datetime | None = None
    trace_id: str | None = None
    version: int | None = None
    metrics: dict[str, float] = {}
    progress: dict[str, Any] | None = None
    into: UUID | None = None


class RunsView(Body):
    """Runs, those asked for last first, unless another order was asked for. ``total`` counts all pages.

    ``before`` as for events, a time; ``offset`` asks for those that come next in another order.
    """

    runs: list[RunLine]
    before: datetime | None = None
    offset: int | None = None
    total: int = 0


StepState = Literal["open", "done", "waiting", "failed", "refused"]


class Step(Body):
    """Something that took its time; ``span_id`` leads to it in the run's trace, where its span has come."""

    name: str
    span_id: str | None = None
    start_ns: int
    end_ns: int | None = None
    state: StepState
    detail: str | None = None
    depth: int = 0


class Lane(Body):
    """One part of a run's way, with its steps in the order of their beginning."""

    lane: str
    steps: list[Step]


class OpenStep(Body):
    """Something that has begun and not ended, as far as is known."""

    lane: str
    name: str
    since_ns: int


class RunLanes(RunLine):
    """A run with all that happened on its way, and what is still open."""

    lanes: list[Lane]
    open: list[OpenStep]


class TraceService(Body):
    """A service's part in a trace: how many spans, and how many of them failed."""

    name: str
    spans: int
    errors: int


class TraceLine(Body):
    """One trace in short; ``root`` is its first span without a parent, or the earliest while that has not ended.

    ``orphans`` counts spans whose parent has not ended, or was lost. Nanoseconds, ``start_ns`` since 1970.
    """

    trace_id: str
    root_service: str
    root_name: str
    start_ns: int
    duration_ns: int
    spans: int
    errors: int
    orphans: int
    services: list[TraceService]


class TracesView(Body):
    """Traces, those with the newest matching span first; ``before`` asks for those that come next."""

    traces: list[TraceLine]
    before: str | None = None


Health = Literal["ready", "degraded", "unreachable", "unknown"]
"""``degraded``: it answers, and something that it needs does not. ``unknown``: not asked, or no service reports it."""


class HealthView(Body):
    """A service as it answers the console, or a server as the services that use it report it.

    ``since`` is when it was first seen like this, ``detail`` what is wrong, and ``means`` what that means for users.
    """

    name: str
    health: Health
    since: datetime
    detail: str | None = None
    means: str | None = None


class TrafficView(Body):
    """Online predictions of one model in all gateway workers; ``versions`` counts the workers that serve each.

    ``refused`` are requests that were answered with 4xx, ``errors`` those with 5xx. Quantiles are estimated from the
    buckets of a histogram, and None without requests.
    """

    model: str
    requests: int = 0
    refused: int = 0
    errors: int = 0
    p50_seconds: float | None = None
    p99_seconds: float | None = None
    versions: dict[int, int] = {}


class StatusView(Body):
    """Health and traffic as this console measures them; it needs no other service for them.

    Traffic is that of the last ``seconds`` before ``measured_at``; None before the gateway has answered twice.
    """

    services: list[HealthView]
    servers: list[HealthView]
    traffic: list[TrafficView]
    seconds: float | None = None
    measured_at: datetime | None = None
    workers: int = 0


class OverviewView(Body):
    """Overview, projected from events: each model's last run, runs in progress, what waits, and what failed lately.

    ``waiting`` are runs whose version waits for an approval; ``failures`` are those of the last ``hours``.
    """

    last_runs: list[RunLine]
    in_progress: list[RunLine]
    waiting: list[RunLine]
    failures: list[EventView]
    hours: int
