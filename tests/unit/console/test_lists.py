"""In which orders runs are listed; the statements run against Postgres in the integration tests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_console.lists import SORTS, RunOrder
from interlock_console.store import RunRow
from sqlalchemy import Dialect, select
from sqlalchemy.dialects import postgresql


def statement(sort: str) -> str:
    query = select(RunRow.run_id).order_by(*RunOrder.parse(sort).columns)
    dialect: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return str(query.compile(dialect=dialect))


@pytest.mark.parametrize("by", [*SORTS, "metrics.r2"])
def test_runs_without_a_value_come_last_in_either_direction(by: str) -> None:
    """A run that has no metric yet is neither the best nor the worst."""
    assert statement(by).partition("ORDER BY")[2].count("ASC NULLS LAST") == 1
    assert statement(f"-{by}").partition("ORDER BY")[2].count("DESC NULLS LAST") == 1


@pytest.mark.parametrize("sort", ["", "-", "reason", "metrics.", "metrics", "--model", "model,state"])
def test_an_order_that_there_is_not_is_refused_in_words(sort: str) -> None:
    """With what would be right."""
    with pytest.raises(ValueError, match=r"is none of requested, .*metrics\.<name>"):
        RunOrder.parse(sort)


@given(st.text(min_size=1, max_size=30))
def test_the_name_of_a_metric_is_a_value_and_no_statement(name: str) -> None:
    """Whatever a client writes there, it is bound as a parameter."""
    assert statement(f"metrics.{name}") == statement("metrics.r2")
