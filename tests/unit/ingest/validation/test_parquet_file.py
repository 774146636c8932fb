from __future__ import annotations

import io
import resource
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

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
    ("kind", "stored"),
    [
        ("number", pa.array(["1", "2"])),
        ("integer", pa.array([1.0, 2.0])),
        ("boolean", pa.array([1, 0])),
        ("category", pa.array([1.5, 2])),
        ("datetime", pa.array(["2026-01-01", "2026-01-02"])),
        ("number", pa.array([[1], [2]])),
    ],
)
def test_a_stored_type_that_does_not_fit_refuses_the_file(kind: str, stored: pa.Array[Any]) -> None:
    """Parquet says what its columns are; a text of digits is no number there."""
    reason = judge(parquet(x=stored, y=Y), declared(kind), format="parquet").reason("type")

    assert reason.column == "x"
    assert f"is not {kind}" in reason.message


@pytest.mark.parametrize(
    ("kind", "stored", "why"),
    [
        ("number", pa.array([float("nan"), 1]), "finite"),
        ("integer", pa.array([2**64 - 1, 1], pa.uint64()), "64 bits"),
        ("category", pa.array(["x" * 70_000, "a"]), "longer"),
        ("category", pa.array(["a\0b", "a"]), "NUL"),
        ("datetime", pa.array([10**15, 0], pa.timestamp("s")), "1 to 9999"),
    ],
)
def test_a_cell_that_would_lose_something_is_bad(kind: str, stored: pa.Array[Any], why: str) -> None:
    """With the number of its row, counted from 1."""
    content = parquet(x=stored, y=Y)

    reason = judge(content, declared(kind), format="parquet").reason("type")
    assert (reason.lines, reason.column) == ([1], "x")
    assert why in reason.message
    assert len(judge(content, declared(kind), format="parquet", rules={"max_bad_rows": 1}).rows()) == 1


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
