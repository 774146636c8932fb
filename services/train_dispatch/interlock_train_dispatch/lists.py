"""Filters of run lists as conditions, and the query that takes them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from interlock_contracts.filters import MetricBound, MetricOrder
from interlock_contracts.training import RunState
from interlock_runtime.conditions import measured, tagged
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_train_dispatch.store import RunRow


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Which runs are listed; without values all are. A run without a metric is left out by a bound of it."""

    model: str | None = None
    states: Sequence[RunState] = ()
    tags: Mapping[str, str | None] = field(default_factory=dict)
    metrics: Sequence[MetricBound] = ()
    since: datetime | None = None
    before: datetime | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on :class:`RunRow`, all of which must hold; a deleted run is in no list."""
        yield RunRow.deleted_at.is_(None)
        if self.model is not None:
            yield RunRow.model == self.model
        if self.states:
            yield RunRow.state.in_(self.states)
        yield from tagged(RunRow.tags, self.tags)
        if self.metrics:
            yield RunRow.metrics.is_not(None)  # what the partial index holds
        yield from measured(RunRow.metrics, self.metrics)
        if self.since is not None:
            yield RunRow.created_at >= self.since
        if self.before is not None:
            yield RunRow.created_at < self.before


async def runs(
    session: AsyncSession, wanted: RunFilter, *, limit: int, order: MetricOrder | None = None
) -> Sequence[RunRow]:
    """Return the first runs that are wanted: the newest, or as ``order`` says.

    Of the newest what was created in the same moment as the last of them is there, too: the next page begins before
    that moment.
    """
    return (await session.scalars(selected(wanted, limit=limit, order=order))).all()


def selected(wanted: RunFilter, *, limit: int, order: MetricOrder | None = None) -> Select[RunRow]:
    """Return the query for the first runs that are wanted."""
    query = select(RunRow).where(*wanted.conditions())
    if order is not None:
        value = RunRow.metrics[order.metric].as_float()
        by = (value.desc() if order.descending else value.asc()).nulls_last()
        return query.order_by(by, RunRow.created_at.desc(), RunRow.run_id).limit(limit)
    return query.order_by(RunRow.created_at.desc()).fetch(limit, with_ties=True)
