"""One sound table, damaged in the ways of public suites of dirty CSV files: each damage gets its result and lines.

The suites' own files are judged in tests/integration/ingest/test_dirty_csv.py, where a machine has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.unit.ingest.validation.judging import judge

COLUMNS: dict[str, Any] = {
    "Product": {"type": "category"},
    "Note": {"type": "category"},
    "Price": {"type": "number"},
    "Qty": {"type": "integer"},
}
ROWS = 40
HEADER = "Product,Note,Price,Qty"


def table(delimiter: str = ",") -> list[str]:
    """Return the lines of the sound table; every note is quoted and has a delimiter, a quote and a non-ASCII letter."""
    rows = (("part-" + str(n), f'"size {n}{delimiter} ""café"""', f"{n}.5", str(n % 7)) for n in range(1, ROWS + 1))
    return [HEADER.replace(",", delimiter), *(delimiter.join(row) for row in rows)]


def text(lines: list[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n").encode()


def line_changed(number: int, change: Callable[[str], str]) -> bytes:
    lines = table()
    lines[number - 1] = change(lines[number - 1])
    return text(lines)


class Case(NamedTuple):
    """A damaged file, and by rule the lines of its refusal; ``data`` are settings of the pipeline."""

    name: str
    content: bytes
    refused: dict[str, list[int]]
    data: dict[str, Any] = {}


def short(line: str) -> str:
    return line.rpartition(",")[0]


def stray_quote(line: str) -> str:
    return line.replace(',"size', ',"size "', 1)


ONE_BAD_ROW: dict[str, Any] = {"rules": {"max_bad_rows": 1}}
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 21872\n"

REFUSED = [
    Case("header only", text([HEADER]), {"no_rows": []}),
    Case("no header", text(table()[1:]), {"header": [1]}),
    Case("title before the header", text(["Sales of the year", "", *table()]), {"header_position": [3]}),
    Case("semicolons", text(table(";")), {"delimiter": [1]}),
    Case("short row", line_changed(11, short), {"row_width": [11]}),
    Case("long row", line_changed(11, lambda line: line + ",1"), {"row_width": [11]}),
    Case("stray quote", line_changed(11, stray_quote), {"quote": [11]}),
    Case("pointer of Git LFS", LFS_POINTER, {"file_kind": [1]}),
    Case("label twice", text([f"{HEADER},Qty", *(f"{line},1" for line in table()[1:])]), {"duplicate_label": [1]}),
    Case("no label", text([f"{HEADER},", *(f"{line},1" for line in table()[1:])]), {"blank_label": [1]}),
    Case("latin-1", text(table()).decode().encode("latin-1"), {"encoding": [2]}),
    Case("UTF-16", text(table()).decode().encode("utf-16"), {"encoding": [1]}),
]

ACCEPTED = [
    Case("sound", text(table()), {}),
    Case("declared semicolons", text(table(";")), {}, {"csv": {"delimiter": ";"}}),
    Case("declared latin-1", text(table()).decode().encode("latin-1"), {}, {"csv": {"encoding": "latin-1"}}),
    Case("declared UTF-16", text(table()).decode().encode("utf-16"), {}, {"csv": {"encoding": "utf-16"}}),
]


def names(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", REFUSED, ids=names)
def test_damage_is_refused_by_the_rule_that_names_it_on_its_lines(case: Case) -> None:
    """The first line of a finding is where a person has to look."""
    judged = judge(case.content, COLUMNS, "Qty", **case.data)

    assert judged.reasons.keys() == case.refused.keys()
    for rule, lines in case.refused.items():
        assert judged.reasons[rule].lines[: len(lines)] == lines


@pytest.mark.parametrize("case", ACCEPTED, ids=names)
def test_a_declared_dialect_gives_the_rows_of_the_sound_file(case: Case) -> None:
    """Delimiter and encoding change how a cell is written, not what it is."""
    rows = judge(case.content, COLUMNS, "Qty", **case.data).rows()

    delimiter = case.data.get("csv", {}).get("delimiter", ",")
    assert sorted((row["Product"], row["Note"], row["Price"], row["Qty"]) for row in rows) == sorted(
        (f"part-{n}", f'size {n}{delimiter} "café"', n + 0.5, n % 7) for n in range(1, ROWS + 1)
    )


@pytest.mark.parametrize(("damage", "rule"), [(short, "row_width"), (stray_quote, "quote")], ids=["short", "quote"])
def test_one_allowed_bad_row_is_set_aside_with_a_warning(damage: Callable[[str], str], rule: str) -> None:
    """All other rows are accepted; a stray quote swallows none of them."""
    judged = judge(line_changed(11, damage), COLUMNS, "Qty", **ONE_BAD_ROW)

    assert {row["Product"] for row in judged.rows()} == {f"part-{n}" for n in range(1, ROWS + 1) if n != 10}
    assert judged.warnings[rule].lines == [11]


def test_words_for_nothing_are_null_where_they_are_declared() -> None:
    """A missing note is null, whichever word the program that exported it has for that."""
    words = ["", "NA", "N/A", "NONE", "NULL"]
    lines = [HEADER, *(f"part-{n},{word},1.5,{n}" for n, word in enumerate(words)), "part-9,yes,1.5,9"]

    judged = judge(text(lines), COLUMNS, "Qty", csv={"null_values": words}, rules={"max_null_fraction": 1.0})

    assert [row["Note"] for row in sorted(judged.rows(), key=lambda row: str(row["Product"]))] == [None] * 5 + ["yes"]


def test_a_quoted_line_end_is_part_of_its_cell() -> None:
    """A legal cell over two lines is one value."""
    lines = table()
    lines[4] = 'part-4,"first\nsecond",4.5,4'

    rows = judge(text(lines), COLUMNS, "Qty").rows()

    assert [row["Note"] for row in rows if row["Product"] == "part-4"] == ["first\nsecond"]
    assert len(rows) == ROWS


def test_leading_zeros_that_are_lost_are_a_warning() -> None:
    """Codes read as integers lose their zeros."""
    judged = judge(line_changed(3, lambda line: short(line) + ",007"), COLUMNS, "Qty")

    assert judged.warnings["leading_zeros"].lines == [3]
    assert judged.warnings["leading_zeros"].examples == ["007"]
