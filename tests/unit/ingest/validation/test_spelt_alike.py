"""What is the same in every format: datetimes finer than microseconds, and columns that may be missing."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.ingest.validation.judging import judge

AT = {"at": {"type": "datetime"}, "y": {"type": "number"}}
MOMENT = datetime(2024, 3, 1, 10, 0, 0, 123_456, tzinfo=UTC)
OPTIONAL = {"garden": {"type": "boolean", "optional": True}, "x": {"type": "number"}, "y": {"type": "number"}}


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def nanoseconds(rest: int) -> pa.Array[Any]:
    micros = int(MOMENT.timestamp()) * 1_000_000 + MOMENT.microsecond
    return pa.array([micros * 1000 + rest, None], pa.int64()).cast(pa.timestamp("ns", "UTC"))


@pytest.mark.parametrize(
    ("format_", "content"),
    [
        *(("csv", f"at,y\n2024-03-01T10:00:00.{digits}Z,1\n,2\n") for digits in ("1234567", "123456789")),
        *(
            ("jsonl", json.dumps({"at": f"2024-03-01 10:00:00.{digits}", "y": 1}) + '\n{"at": null, "y": 2}\n')
            for digits in ("1234567", "123456789")
        ),
        ("parquet", parquet(at=nanoseconds(789), y=[1.0, 2.0])),
    ],
)
def test_digits_beyond_microseconds_are_cut_with_a_warning(format_: str, content: bytes | str) -> None:
    """.NET writes seven, Go and Java nine: the row is kept, with a warning of what was lost."""
    judged = judge(content, AT, format=format_)

    assert not judged.reasons
    assert min(judged.rows(), key=lambda row: row["y"])["at"] == MOMENT
    warning = judged.warnings["fraction_digits"]
    assert (warning.column, warning.count) == ("at", 1)
    assert "cut off" in warning.message


@pytest.mark.parametrize(
    ("format_", "content"),
    [
        ("csv", "at,y\n2024-03-01T10:00:00.123456000Z,1\n,2\n"),
        ("jsonl", '{"at": "2024-03-01T10:00:00.123456000Z", "y": 1}\n'),
        ("parquet", parquet(at=nanoseconds(0), y=[1.0, 2.0])),
    ],
)
def test_zeros_beyond_microseconds_are_no_loss(format_: str, content: bytes | str) -> None:
    """No warning where nothing is lost."""
    judged = judge(content, AT, format=format_)

    assert min(judged.rows(), key=lambda row: row["y"])["at"] == MOMENT
    assert "fraction_digits" not in judged.warnings


FILES = [
    ("csv", "x,y\n1,1\n2,2\n", "Garden,x,y\nyes,1,1\n"),
    ("jsonl", '{"x": 1, "y": 1}\n', '{"Garden": true, "x": 1, "y": 1}\n'),
    ("parquet", parquet(x=[1.0], y=[1.0]), parquet(Garden=[True], x=[1.0], y=[1.0])),
]


@pytest.mark.parametrize(("format_", "without", "misspelt"), FILES)
def test_an_optional_column_may_be_missing_but_not_misspelt(
    format_: str, without: bytes | str, misspelt: bytes | str
) -> None:
    """It counts as null and is warned of; one that is called alike is what was meant."""
    judged = judge(without, OPTIONAL, format=format_)
    refused = judge(misspelt, OPTIONAL, format=format_)

    assert not judged.reasons
    assert {row["garden"] for row in judged.rows()} == {None}
    assert "it counts as null" in judged.warnings["missing_column"].message
    assert "it has 'Garden'" in refused.reason("missing_column").message
