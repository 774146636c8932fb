"""Which rows lie in which slice: no row is in none, and none in two."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from interlock_contracts.slices import Slice
from interlock_evaluation_gate.slicing import slicing


def told(columns: dict[str, Any], **declared: Any) -> list[tuple[str, int]]:
    """Return the slices with their rows, which are all rows."""
    table = pa.table(columns)
    found = slicing(table, Slice.model_validate({"column": list(columns), **declared}))
    counts = [len(rows) for rows in found.rows()]
    assert sum(counts) == table.num_rows
    return list(zip(found.labels, counts, strict=True))


def test_values_are_told_the_most_frequent_first() -> None:
    """Null is a value like any other."""
    values = pa.array(["b", "a", "b", None, "b", "a"])
    assert told({"c": values}) == [("b", 3), ("a", 2), ("None", 1)]


def test_rare_values_are_pooled_and_none_is_lost() -> None:
    """Thirty slices at most, and the last one says how many values it stands for."""
    values = [f"v{number:02}" for number in range(40) for _ in range(50 - number)]
    found = told({"c": pa.array(values)})
    assert found[:2] == [("v00", 50), ("v01", 49)]
    assert (len(found), found[-1]) == (30, ("11 rarer ones", sum(50 - number for number in range(29, 40))))


def test_numbers_of_many_values_are_binned_by_quantiles() -> None:
    """Few whole numbers are told one by one; an edge belongs to the bin above it."""
    distance = pa.array(np.arange(100, dtype=np.float64))
    assert told({"d": distance}) == [
        ("0 to 19", 20),
        ("20 to 39", 20),
        ("40 to 59", 20),
        ("60 to 79", 20),
        ("80 to 99", 20),
    ]
    assert told({"d": distance}, bins=2) == [("0 to 49", 50), ("50 to 99", 50)]
    assert told({"d": distance}, bins=[10, 90.5]) == [("0 to 9", 10), ("10 to 90", 81), ("91 to 99", 9)]
    assert told({"month": pa.array([7, 8, 7])}) == [("7", 2), ("8", 1)]


def test_equal_numbers_lie_in_one_bin() -> None:
    """However many rows have them, so bins may be fewer; null is apart."""
    values = pa.array([0.0] * 90 + [float(number) for number in range(1, 41)] + [None])
    assert told({"d": values}, bins=4) == [("None", 1), ("0 to 7", 97), ("8 to 40", 33)]
    assert told({"d": pa.array([None, None], pa.float64())}, bins=3) == [("None", 2)]


def test_times_are_told_by_month() -> None:
    """Each moment is a value of its own, of which nothing could be said."""
    times = [datetime(2026, month, 1 + day, tzinfo=UTC) for month, days in ((1, 3), (2, 2)) for day in range(days)]
    assert told({"at": pa.array(times, pa.timestamp("us", "UTC"))}) == [("2026-01", 3), ("2026-02", 2)]


def test_pairs_are_of_values_or_bins() -> None:
    """Of those that occur."""
    columns = {"plan": pa.array(["a", "a", "b", "a"]), "age": pa.array([20, 60, 61, 21])}
    assert told(columns, bins=2) == [("a, 20 to 21", 2), ("a, 60 to 61", 1), ("b, 60 to 61", 1)]


@pytest.mark.parametrize("column", [pa.array([True, False, True]), pa.array(["True", "False", "True"])])
def test_booleans_are_values(column: Any) -> None:
    """As they are written in reports."""
    assert told({"c": column}) == [("True", 2), ("False", 1)]
