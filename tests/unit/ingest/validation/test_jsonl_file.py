from __future__ import annotations

import json
from typing import Any

import pytest
from interlock_tables import blocks

from tests.unit.ingest.validation.judging import judge

COLUMNS = {
    "n": {"type": "number"},
    "i": {"type": "integer"},
    "b": {"type": "boolean"},
    "c": {"type": "category"},
    "d": {"type": "datetime"},
}
GOOD: dict[str, Any] = {"n": 1.5, "i": 7, "b": True, "c": "grün", "d": "2026-01-31T12:00:00Z"}


def jsonl(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_objects_become_typed_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Absent keys are nulls, undeclared keys are ignored and listed, blocks leave no trace."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 11)
    judged = judge(jsonl(GOOD, {"n": 2, "extra": [1]}), COLUMNS, "n", format="jsonl")

    rows = sorted(judged.rows(), key=lambda row: row["n"])
    assert [row["c"] for row in rows] == ["grün", None]
    assert rows[0]["d"].isoformat() == "2026-01-31T12:00:00+00:00"
    assert judged.warnings["extra_columns"].examples == ["extra"]


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("n", "1,5", "has a decimal comma"),
        ("n", True, "is not a number"),
        ("n", 10**400, "too large"),
        ("i", 1.5, "is not an integer"),
        ("i", "7.5", "is not an integer"),
        ("i", 2**63, "64 bits"),
        ("b", 2, "true or false"),
        ("b", "maybe", "true or false"),
        ("c", 1.5, "is not a text"),
        ("c", ["a"], "is not a text"),
        ("c", "\ud800", "surrogate"),
        ("c", "a\0b", "NUL"),
        ("c", "x" * 70_000, "longer"),
        ("d", 1_700_000_000, "ISO 8601"),
        ("d", "yesterday", "ISO 8601"),
    ],
)
def test_nothing_is_converted_silently(column: str, value: Any, why: str) -> None:
    """A value that the table of spellings does not have is a bad cell with its line."""
    judged = judge(jsonl(GOOD, {**GOOD, column: value}), COLUMNS, "n", format="jsonl")

    reason = judged.reason("type")
    assert (reason.column, reason.lines) == (column, [2])
    assert why in reason.message


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[1]",
        "1",
        '{"n": NaN}',
        '{"n": Infinity}',
        '{"n": 1, "n": 2}',
        '{"n": 1} {"n": 2}',
        "[" * 100_000,
        '{"n": ' + "9" * 5000 + "}",
        "n,i,b",
    ],
)
def test_a_line_that_is_no_object_is_a_bad_row(line: str) -> None:
    """It can be set aside like any other bad row."""
    content = jsonl(GOOD) + line + "\n\n" + jsonl({**GOOD, "i": 8})

    assert judge(content, COLUMNS, "n", format="jsonl").reason("json").lines == [2]
    allowed = judge(content, COLUMNS, "n", format="jsonl", rules={"max_bad_rows": 1})
    assert len(allowed.rows()) == 2
    assert allowed.warnings["blank_line"].lines == [3]


def test_an_integer_may_name_a_category_or_be_a_number() -> None:
    """Labels 0 and 1 are common; and 7.0 is how some writers write 7."""
    judged = judge(jsonl({**GOOD, "c": 1, "n": 1, "i": 7.0}), COLUMNS, "n", format="jsonl")

    [row] = judged.rows()
    assert (row["c"], row["n"], row["i"]) == ("1", 1.0, 7)


def test_a_column_that_no_row_has_is_missing() -> None:
    """One that some rows have is not."""
    judged = judge(jsonl({"n": 1, "I": 2}), {"n": {"type": "number"}, "i": {"type": "integer"}}, "n", format="jsonl")

    assert "it has 'I'" in judged.reason("missing_column").message


def test_an_endless_line_is_given_up() -> None:
    """JSON that is one large array is not JSON Lines."""
    assert judge('{"n": 1}\n[' + "1," * 600_000, COLUMNS, "n", format="jsonl").reasons["record_length"].lines == [2]
