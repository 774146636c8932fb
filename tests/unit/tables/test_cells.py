from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_contracts.data import Column
from interlock_tables.cells import byte_at, leading_zeros, parse_texts
from interlock_tables.spellings import (
    BadCellError,
    boolean,
    integer,
    microseconds,
    number,
)
from interlock_tables.typed import compute

PARSERS: dict[str, Any] = {"number": number, "integer": integer, "boolean": boolean, "datetime": microseconds}

DIGITS = st.text(st.sampled_from("0123456789+-. eExX_,nNaAiIfF"), max_size=8)
DATES = st.one_of(
    st.datetimes().map(str),
    st.dates().map(str),
    st.text(st.sampled_from("0129-:T Z+.,/"), max_size=20),
    st.builds(
        "{}{}{}".format, st.datetimes().map(str), st.sampled_from(["", " ", "T"]), st.sampled_from(["Z", "+02", ""])
    ),
)


@given(st.sampled_from(sorted(PARSERS)), st.lists(st.one_of(DIGITS, DATES, st.none(), st.text(max_size=5)), max_size=6))
def test_a_column_is_read_as_its_cells_are_one_by_one(kind: str, texts: list[str | None]) -> None:
    """The fast way over whole columns takes exactly the documented spellings, to the same values."""
    cells = parse_texts("c", Column(type=kind), pa.array(texts, pa.string()))  # type: ignore[arg-type]

    bad = [any(mask[row] for mask, _ in cells.faults.values()) for row in range(len(texts))]
    values = cells.values.cast(pa.int64()) if kind == "datetime" else cells.values
    for text, value, is_bad in zip(texts, values.to_pylist(), bad, strict=True):
        if text is None:
            assert (value, is_bad) == (None, False)
            continue
        try:
            expected = PARSERS[kind](text.strip(" \t\n\r\v\f"))
        except BadCellError:
            assert is_bad, text
            assert value is None
        else:
            assert not is_bad, text
            assert value == expected


@given(st.lists(st.one_of(st.text(st.sampled_from("019+-. \t\v\x0bxé"), max_size=5), st.none()), max_size=8), st.data())
def test_single_bytes_tell_what_a_regular_expression_does(texts: list[str | None], data: st.DataObject) -> None:
    """Zeros before a number, in any slice of a column, nulls among them; and which byte stands where."""
    start = data.draw(st.integers(0, len(texts)))
    column = pa.array(texts, pa.string())[start:]

    told = compute.match_substring_regex(column, r"^\s*[+-]?0[0-9]").fill_null(False).to_pylist()
    assert leading_zeros(column).tolist() == told
    for place in (0, 2, -1):
        encoded = [(text or "").encode() for text in texts[start:]]
        there = [bytes_[place] if -len(bytes_) <= place < len(bytes_) else 0 for bytes_ in encoded]
        assert byte_at(column, place).tolist() == there


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), ("-1.50", -1.5), ("+2", 2.0), (".5", 0.5), ("5.", 5.0), ("1e-3", 0.001), ("007", 7.0)],
)
def test_numbers_have_these_spellings(text: str, value: float) -> None:
    """Decimal digits with a point, sign and exponent where wanted."""
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("44,761", "thousands separator"),
        ("1 234 567", "thousands separator"),
        ("1,5", "decimal comma"),
        ("NaN", "not a finite number"),
        ("-inf", "not a finite number"),
        ("1e999", "not a finite number"),
        ("", "null_values"),
        ("12%", "without unit"),
        ("$3", "sign of currency"),
        ("abc", "is not a number"),
        ("0x1F", "is not a number"),
        ("1_000", "is not a number"),
    ],
)
def test_what_is_no_number_says_why(text: str, why: str) -> None:
    """The message names what would be right."""
    with pytest.raises(BadCellError, match=why):
        number(text)


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), ("+7", 7), ("-7.0", -7), ("007", 7), (str(2**63 - 1), 2**63 - 1)]
)
def test_integers_have_these_spellings(text: str, value: int) -> None:
    """Exports write integers with missing neighbours as 517.0; that is still an integer."""
    assert integer(text) == value


@pytest.mark.parametrize("text", ["1.5", "1e3", str(2**63), "9" * 5000, "0x1F", "\uff11"])
def test_other_spellings_are_no_integers(text: str) -> None:
    """Nothing is rounded, and nothing overflows."""
    with pytest.raises(BadCellError):
        integer(text)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-02", 86_400_000_000),
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01 00:00", 0),
        ("1970-01-01 01:00:00.5+01:00", 500_000),
        ("1970-01-01T00:00:00.000001000", 1),
        ("1970-01-01T00:00:00.0000019Z", 1),
        ("1970-01-01T00:00:00.0000019999999999", 1),
        ("1970-01-01T05:30:00+0530", 0),
    ],
)
def test_datetimes_are_iso_8601_and_utc_where_they_do_not_say(text: str, micros: int) -> None:
    """Dates, times with and without seconds, fractions and offsets."""
    assert microseconds(text) == micros


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-30",
        "28/01/2018",
        "2023-01-01 10",
        "20230101",
        "0000-01-01",
        "9999-12-31T23:59:59-10:00",
    ],
)
def test_other_datetimes_are_bad(text: str) -> None:
    """What does not exist, is ambiguous or misspelt."""
    with pytest.raises(BadCellError):
        microseconds(text)


def test_a_category_is_taken_as_it_is() -> None:
    """Spaces and case are part of the value."""
    cells = parse_texts("c", Column(type="category"), pa.array([" a", "A", None, "x" * 70_000]))

    assert cells.values.to_pylist() == [" a", "A", None, None]
    assert [cause.rule for cause in cells.faults] == ["cell_length"]


def test_leading_zeros_are_found() -> None:
    """0, 0.5 and -0 have none."""
    assert leading_zeros(pa.array(["0", "0.5", "-0", "01", " 007", "-01", None])).tolist() == [
        *[False] * 3,
        *[True] * 3,
        False,
    ]
