"""Filters and orders of run lists as conditions, and the queries that take them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from interlock_contracts.filters import MetricBound
from interlock_runtime.conditions import measured
from sqlalchemy import ColumnElement, String, case, cast, exists, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from interlock_console.store import EventRow, RunRow

_REQUESTED = EventRow.type == "retrain.requested"
"""Of the events that cause runs the one that has tags."""


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Which runs are listed; what is None or empty restricts nothing.

    ``text`` is a part of the model's name in any case, or the beginning of the run's or the trace's id; ``cause`` the
    type of the event that caused the run. A run without a metric is left out by a bound of it.
    """

    model: str | None = None
    text: str | None = None
    states: Sequence[str] = ()
    cause: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    metrics: Sequence[MetricBound] = ()
    since: datetime | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on :class:`RunRow`, all of which must hold."""
        if self.model is not None:
            yield RunRow.model == self.model
        if self.text:
            ids = [RunRow.trace_id, cast(RunRow.run_id, String)]
            begins = [each.startswith(self.text.lower(), autoescape=True) for each in ids]
            yield or_(RunRow.model.icontains(self.text, autoescape=True), *begins)
        if self.states:
            yield RunRow.state.in_(self.states)
        if self.cause is not None:
            yield RunRow.cause == self.cause
        yield from (_tagged(name, value) for name, value in self.tags.items())
        yield from measured(RunRow.metrics, self.metrics)
        if self.since is not None:
            yield RunRow.requested_at >= self.since


def _tagged(name: str, value: str | None) -> ColumnElement[bool]:
    """Return whether a run's request has a tag, of that value or of any.

    Postgres reads nothing of JSON with a NUL in it, which a reason from outside may hold.
    """
    found = EventRow.data["tags"][name].as_string()
    holds = found.is_not(None) if value is None else found == value
    readable = func.strpos(cast(EventRow.data, String), r"\u0000") == 0
    return exists().where(EventRow.run_id == RunRow.run_id, _REQUESTED, case((readable, holds), else_=false()))


SORTS: dict[str, ColumnElement[Any] | InstrumentedAttribute[Any]] = {
    "requested": RunRow.requested_at,
    "duration": RunRow.ended_at - RunRow.started_at,
    "model": RunRow.model,
    "state": RunRow.state,
    "version": RunRow.version,
    "requested_by": RunRow.requested_by,
}
"""What runs can be sorted by, besides metrics."""

METRIC_SORT = "metrics."
"""What a sort by one of the gate's metrics begins with; the metric's name follows."""


@dataclass(frozen=True)
class RunOrder:
    """How runs are sorted; those without a value come last in either direction, and equals by the newest."""

    by: str = "requested"
    descending: bool = True

    @classmethod
    def parse(cls, text: str) -> "RunOrder":
        """Return the order that ``text`` names: ``model`` is ascending, ``-model`` descending.

        Raises:
            ValueError: runs cannot be sorted so; the text names what they can be sorted by.
        """
        by = text.removeprefix("-")
        if by not in SORTS and not (by.startswith(METRIC_SORT) and by != METRIC_SORT):
            raise ValueError(f"{by!r} is none of {', '.join(SORTS)}, metrics.<name>; a minus before it reverses")
        return cls(by, text.startswith("-"))

    @property
    def columns(self) -> list[ColumnElement[Any]]:
        """Return what to order by."""
        if self.by.startswith(METRIC_SORT):
            key: Any = RunRow.metrics[self.by.removeprefix(METRIC_SORT)].as_float()
        else:
            key = SORTS[self.by]
        first = (key.desc() if self.descending else key.asc()).nulls_last()
        return [first, RunRow.requested_at.desc(), RunRow.run_id]


async def run_rows(
    session: AsyncSession,
    wanted: RunFilter,
    order: RunOrder | None = None,
    *,
    before: datetime | None = None,
    offset: int = 0,
    limit: int,
) -> Sequence[RunRow]:
    """Return runs that are wanted, the newest first where no other order is given."""
    query = select(RunRow).where(*wanted.conditions()).order_by(*(order or RunOrder()).columns)
    if before is not None:
        query = query.where(RunRow.requested_at < before)
    return (await session.scalars(query.offset(offset).limit(limit))).all()


async def count_runs(session: AsyncSession, wanted: RunFilter) -> int:
    """Return how many runs are wanted, on all pages."""
    return (await session.execute(select(func.count()).select_from(RunRow).where(*wanted.conditions()))).scalar_one()


async def tags_of(session: AsyncSession, run_ids: Collection[UUID]) -> dict[UUID, dict[str, str]]:
    """Return the tags of runs that were asked for with some."""
    query = select(EventRow.run_id, EventRow.data).where(EventRow.run_id.in_(run_ids), _REQUESTED)
    return {run_id: data["tags"] for run_id, data in await session.execute(query) if data.get("tags")}
