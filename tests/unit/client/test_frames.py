"""Frames of both libraries become the rows that JSON can hold, whatever their dtypes."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from interlock_client.frames import cells, like, rows_of

AT = datetime(2013, 1, 2, 3, 4, 5)  # noqa: DTZ001 - as most tables have them

PANDAS = [
    (pd.Series([1, 2]), [1, 2]),
    (pd.Series([1.5, np.nan]), [1.5, None]),
    (pd.Series([1, None], dtype="Int64"), [1, None]),
    (pd.Series([0.5, None], dtype="Float64"), [0.5, None]),
    (pd.Series([True, None], dtype="boolean"), [True, None]),
    (pd.Series([True, False]), [True, False]),
    (pd.Series(["a", None], dtype="string"), ["a", None]),
    (pd.Series(["a", None], dtype="category"), ["a", None]),
    (pd.Series([1, 2], dtype="category"), [1, 2]),
    (pd.Series(["a", np.nan], dtype=object), ["a", None]),
    (pd.Series([np.int8(1), np.float32(0.5)], dtype=object), [1, 0.5]),
    (pd.Series([AT, None]), ["2013-01-02T03:04:05", None]),
    (pd.Series(pd.to_datetime(pd.Series([AT, None])).dt.tz_localize("UTC")), ["2013-01-02T03:04:05+00:00", None]),
    (pd.Series([date(2013, 1, 2), None]), ["2013-01-02", None]),
    (pd.Series([1, None], dtype="int64[pyarrow]"), [1, None]),
    (pd.Series(["a", None], dtype="string[pyarrow]"), ["a", None]),
]


@pytest.mark.parametrize(("column", "expected"), PANDAS, ids=lambda each: str(getattr(each, "dtype", "")))
def test_cells_of_pandas(column: "pd.Series[Any]", expected: list[Any]) -> None:
    """Every mark of what is missing is null, scalars of numpy are Python's, times are ISO 8601."""
    frame = pd.DataFrame({"x": column}).set_index(pd.Index(["p", "q"]))
    found = [row["x"] for row in rows_of(frame)]

    assert found == expected
    assert [type(each) for each in found] == [type(each) for each in expected]
    assert cells("x", column) == expected


POLARS = [
    (pl.Series([1, None], dtype=pl.UInt8), [1, None]),
    (pl.Series([1.5, float("nan")]), [1.5, None]),
    (pl.Series([True, None]), [True, None]),
    (pl.Series(["a", None], dtype=pl.Categorical), ["a", None]),
    (pl.Series(["a", None], dtype=pl.Enum(["a"])), ["a", None]),
    (pl.Series([AT, None]), ["2013-01-02T03:04:05", None]),
    (pl.Series([AT.replace(tzinfo=UTC)]), ["2013-01-02T03:04:05+00:00"]),
    (pl.Series([date(2013, 1, 2)]), ["2013-01-02"]),
    (pl.Series([Decimal("1.50")]), [1.5]),
    (pl.Series([None, None], dtype=pl.Null), [None, None]),
]


@pytest.mark.parametrize(("column", "expected"), POLARS, ids=lambda each: str(getattr(each, "dtype", "")))
def test_cells_of_polars(column: pl.Series, expected: list[Any]) -> None:
    """The same of polars."""
    assert [row["x"] for row in rows_of(pl.DataFrame({"x": column}))] == expected
    assert cells("x", column) == expected


@pytest.mark.parametrize("library", [pd, pl])
def test_what_json_cannot_hold_is_told_with_its_column(library: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match="column 'size' has an infinite number"):
        rows_of(library.DataFrame({"size": [1.0, float("inf")]}))
    with pytest.raises(TypeError, match="column 'raw' has a bytes"):
        rows_of(library.DataFrame({"raw": [b"x"]}))


def test_a_column_twice_is_told() -> None:
    """Only pandas can have that; which of them is meant nobody knows."""
    with pytest.raises(ValueError, match="column 'a' twice"):
        rows_of(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_names_are_texts() -> None:
    """A frame without a header has numbers for names."""
    assert rows_of(pd.DataFrame([[1, 2]])) == [{"0": 1, "1": 2}]


@pytest.mark.parametrize("library", [pd, pl])
def test_a_frame_without_rows_has_none(library: Any) -> None:
    """However many columns it has."""
    assert rows_of(library.DataFrame({"a": []})) == []


def test_an_answer_is_of_the_same_library_with_the_same_index() -> None:
    """So that it can be joined to what was asked."""
    asked = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["p", "q"], name="id"))
    answered = like(asked, {"prediction": [0.5, None]})
    assert answered.index.equals(asked.index)
    assert answered.index.name == "id"
    assert answered["prediction"].isna().tolist() == [False, True]

    assert like(pl.DataFrame({"a": [1, 2]}), {"prediction": [1, 2]}).to_dict(as_series=False) == {"prediction": [1, 2]}


def test_something_else_is_no_frame() -> None:
    """A table of another library is told by its name."""

    class Table:
        columns = ("a",)
        shape = (1, 1)

    with pytest.raises(TypeError, match="Table is not a frame of pandas or polars"):
        rows_of(Table())
