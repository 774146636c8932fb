"""Conditions on columns, by which several services filter their lists."""

from collections.abc import Iterable, Iterator, Mapping

from interlock_contracts.filters import MetricBound
from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute


def tagged(
    column: InstrumentedAttribute[dict[str, str]], tags: Mapping[str, str | None]
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on tags (JSONB): one of that name and value, or of that name and any value."""
    for name, value in tags.items():
        yield column.has_key(name) if value is None else column.contains({name: value})


def measured(
    column: InstrumentedAttribute[dict[str, float]] | InstrumentedAttribute[dict[str, float] | None],
    bounds: Iterable[MetricBound],
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on metrics (JSONB); what lacks a metric is neither at least nor at most anything in it."""
    for metric, comparison, bound in bounds:
        value = column[metric].as_float()
        yield value >= bound if comparison == ">=" else value <= bound
