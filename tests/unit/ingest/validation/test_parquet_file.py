from __future__ import annotations

import io
import resource
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from interlock_ingest.validation.validate import validate

from tests.unit.ingest.validation.judging import declared_pipeline, judge

Y = pa.array([1.0, 2.0])


def parquet(**columns: pa.Array[Any]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def declared(kind: str) -> dict[str, Any]:
    return {"x": {"type": kind}, "y": {"type": "number"}}


@pytest.mark.parametrize(
    ("kind", "stored", "first"),
    [
        ("number", pa.array([1, 2], pa.int32()), 1.0),
        ("number", pa.array([1.5, 2], pa.float32()), 1.5),
        ("number", pa.array([Decimal("1.25"), None]), 1.25),
        ("number", pa.array([2**60 + 1, 1], pa.int64()), float(2**60)),
        ("integer", pa.array([1, 2], pa.uint8()), 1),
        ("boolean", pa.array([True, None]), True),
        ("category", pa.array(["a", "b"]).dictionary_encode(), "a"),
        ("category", pa.array(["a", None], pa.large_string()), "a"),
        ("category", pa.array([7, 8]), "7"),
        ("category", pa.nulls(2), None),
        ("datetime", pa.array([date(2026, 1, 31), None]), datetime(2026, 1, 31, tzinfo=UTC)),
        ("datetime", pa.array([10**18, 0], pa.timestamp("ns")), datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)),
        ("datetime", pa.array([0, 1], pa.timestamp("s", "Asia/Tokyo")), datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_stored_types_that_fit_are_read(kind: str, stored: pa.Array[Any], first: Any) -> None:
    """Nothing that a type holds is lost on the way."""
    judged = judge(parquet(x=stored, y=Y), declared(kind), format="parquet")

    assert next(row["x"] for row in judged.rows() if row["y"] == 1.0) == first


@pytest.mark.parametrize(
    ("kind", "stored", "hint"),
    [
        ("number", pa.array([True, False]), "declare it as boolean"),
        ("category", pa.array([True, False]), "declare it as boolean"),
        ("category", pa.array([date(2026, 1, 31), None]), "declare it as datetime, or store it as text"),
        ("integer", pa.array([0, 1], pa.timestamp("us")), "declare it as datetime, or store it as text"),
        ("datetime", pa.array([0, 1]), "its unit is not told: store a timestamp"),
        ("number", pa.array([[1], [2]]), "store it as numbers, booleans, texts or timestamps"),
        ("category", pa.array([{"a": 1}, {"a": 2}]), "store it as numbers, booleans, texts or timestamps"),
    ],
)
def test_a_stored_type_that_does_not_fit_refuses_the_file(kind: str, stored: pa.Array[Any], hint: str) -> None:
    """With a word on what to do; that the column has no values is not reported as well, for it was not read."""
    judged = judge(parquet(x=stored, y=Y), declared(kind), format="parquet")
    reason = judged.reason("type")

    assert reason.column == "x"
    assert reason.message.endswith(f"which is not read as {kind}; {hint}")
    assert "constant" not in judged.warnings


@pytest.mark.parametrize(
    ("kind", "stored", "values"),
    [
        ("integer", pa.array([517.0, None]), [517, None]),
        ("integer", pa.array([Decimal(517), Decimal(-3)], pa.decimal128(38, 0)), [517, -3]),
        ("integer", pa.array([Decimal("517.00"), None], pa.decimal128(10, 2)), [517, None]),
        ("integer", pa.array([float("nan"), -0.0]), [None, 0]),
        ("boolean", pa.array([1, 0], pa.int8()), [True, False]),
        ("boolean", pa.array([0.0, None]), [False, None]),
        ("boolean", pa.array([Decimal(1), Decimal(0)]), [True, False]),
        ("category", pa.array([Decimal(94103), Decimal(7)], pa.decimal128(10, 0)), ["94103", "7"]),
        ("category", pa.array([94103.0, None]), ["94103", None]),
        ("category", pa.array(["é".encode(), None], pa.binary()), ["é", None]),
        ("category", pa.array([b"a", b"b"], pa.large_binary()), ["a", "b"]),
        ("number", pa.array([1, 2], pa.uint64()), [1.0, 2.0]),
        ("number", pa.array(np.array([0.5, 2], np.float16)), [0.5, 2.0]),
        ("number", pa.array([float("nan"), 1.0]), [None, 1.0]),
        ("number", pa.array(["1.5", " 2 "]), [1.5, 2.0]),
        ("integer", pa.array(["517.0", "1"]), [517, 1]),
        ("boolean", pa.array(["yes", "F"]).dictionary_encode(), [True, False]),
        ("datetime", pa.array(["2026-01-31", None]), [datetime(2026, 1, 31, tzinfo=UTC), None]),
    ],
)
def test_what_pandas_spark_and_snowflake_store_is_read_as_declared(
    kind: str, stored: pa.Array[Any], values: list[Any]
) -> None:
    """Missing cells make integers doubles and booleans numbers; texts are read by the table of spellings."""
    judged = judge(parquet(x=stored, y=Y), declared(kind), format="parquet")

    assert [row["x"] for row in sorted(judged.rows(), key=lambda row: row["y"])] == values


def test_nan_counts_as_missing_and_is_told() -> None:
    """NumPy, Polars and Spark know no other missing number."""
    judged = judge(parquet(x=pa.array([float("nan"), 1.0]), y=Y), declared("number"), format="parquet")

    assert (judged.warnings["nan"].column, judged.warnings["nan"].count) == ("x", 1)


@pytest.mark.parametrize(
    ("kind", "stored", "rule", "why"),
    [
        ("number", pa.array([float("inf"), 1]), "type", "finite"),
        ("integer", pa.array([2**64 - 1, 1], pa.uint64()), "type", "64 bits"),
        ("integer", pa.array([1e19, 1]), "type", "not a whole number of 64 bits"),
        ("integer", pa.array([0.5, 1]), "type", "not a whole number of 64 bits"),
        ("integer", pa.array([Decimal("0.5"), Decimal("1.0")]), "type", "is not an integer"),
        ("boolean", pa.array([2, 1]), "type", "not a boolean"),
        ("boolean", pa.array([0.5, 1]), "type", "not a boolean"),
        ("category", pa.array([0.5, 1]), "type", "not a whole number of 64 bits"),
        ("category", pa.array(["x" * 70_000, "a"]), "cell_length", "longer"),
        ("category", pa.array(["a\0b", "a"]), "type", "NUL"),
        ("number", pa.array(["1,5", "1"]), "type", "decimal comma"),
        ("datetime", pa.array([10**15, 0], pa.timestamp("s")), "type", "1 to 9999"),
    ],
)
def test_a_cell_that_would_lose_something_is_bad(kind: str, stored: pa.Array[Any], rule: str, why: str) -> None:
    """With the number of its row, counted from 1."""
    content = parquet(x=stored, y=Y)

    reason = judge(content, declared(kind), format="parquet").reason(rule)
    assert (reason.lines, reason.column) == ([1], "x")
    assert why in reason.message
    assert len(judge(content, declared(kind), format="parquet", rules={"max_bad_rows": 1}).rows()) == 1


def test_bytes_that_are_no_text_are_bad_cells() -> None:
    """Only a file that calls them texts is damaged."""
    content = parquet(x=pa.array([b"\xff", b"a"]), y=Y)

    assert "is not UTF-8" in judge(content, declared("category"), format="parquet").reason("type").message
    kept = judge(content, declared("category"), format="parquet", rules={"max_bad_rows": 1}).rows()
    assert [row["x"] for row in kept] == ["a"]


def test_a_damaged_file_is_refused() -> None:
    """Cut off, or not Parquet at all."""
    whole = parquet(x=pa.array([1.0, 2.0]), y=Y)

    assert judge(whole[:-20], declared("number"), format="parquet").reason("damaged")
    assert judge(whole[:40] + b"\xff" * 40 + whole[80:], declared("number"), format="parquet").reasons
    assert "format" not in judge(b"x,y\n1,2\n", declared("number"), format="parquet").reason("file_kind").message


@pytest.mark.parametrize("kind", ["number", "category"])
def test_columns_are_compared_by_name(kind: str) -> None:
    """Missing ones refuse, extra ones are listed."""
    judged = judge(parquet(z=Y, y=Y), declared(kind), format="parquet")

    assert judged.reason("missing_column").column == "x"
    assert judged.warnings["extra_columns"].examples == ["z"]


def test_a_file_without_rows_is_refused() -> None:
    """The schema alone is no data."""
    assert judge(parquet(x=Y.slice(0, 0), y=Y.slice(0, 0)), declared("number"), format="parquet").reason("no_rows")


def test_a_text_stored_once_and_standing_in_every_row_does_not_fill_the_memory(tmp_path: Path) -> None:
    """A small file may unpack to any size; it is read in pieces that stay small."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 6_000, pa.int32()), pa.array(["x" * 60_000]))
    file, folder = tmp_path / "file", tmp_path / "check"
    file.write_bytes(parquet(x=texts, y=pa.array([1.0] * 6_000)))
    folder.mkdir()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    result = validate(file, declared_pipeline(declared("category"), format="parquet"), folder)

    assert result.profile["repeated_rows"] == 5_999
    assert pq.ParquetFile(folder / "train.parquet").num_row_groups > 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 180 * 1024
