"""The table of spellings: one meaning for a cell, whether it comes from a CSV, from JSON or from a tensor."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_contracts.names import near_name
from interlock_tables.spellings import BadCellError, Kind, read, text_pattern


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("number", 1, 1.0),
        ("number", " 2.5\n", 2.5),
        ("integer", 3.0, 3),
        ("integer", "3.0", 3),
        ("integer", 2**63 - 1, 2**63 - 1),
        *(("boolean", cell, True) for cell in (True, 1, 1.0, "1", "t", "Yes", "y", "TRUE", " true ")),
        *(("boolean", cell, False) for cell in (False, 0, 0.0, "0", "f", "No", "n", "False")),
        ("category", 94103, "94103"),
        ("category", 94103.0, "94103"),
        ("category", " a ", " a "),
        ("category", "007", "007"),
        ("datetime", "1970-01-01T00:00:00.1234567Z", 123_456),
        ("datetime", " 1970-01-01T00:00:00.123456789+00:00 ", 123_456),
    ],
)
def test_a_cell_has_these_spellings(kind: Kind, cell: Any, value: Any) -> None:
    """A text as in a CSV; JSON's own types as they are, or by the digits that they stand for."""
    meant = read(kind, cell)

    assert (meant, type(meant)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "cell", "why"),
    [
        ("number", True, "not a number"),
        ("number", float("nan"), "not a finite number"),
        ("number", 10**400, "too large"),
        ("integer", 2.5, "not an integer"),
        ("integer", True, "not an integer"),
        ("integer", 2**63, "64 bits"),
        ("boolean", 2, "not a boolean"),
        ("boolean", "ja", "not a boolean"),
        ("category", True, "not a text"),
        ("category", 1.5, "not a text"),
        pytest.param("category", 10**5000, "not a text", id="5001 digits"),
        ("category", "a\0b", "NUL"),
        ("category", "\ud800", "surrogate"),
        ("category", "x" * 70_000, "longer"),
        ("datetime", 1_700_000_000, "not a datetime"),
        ("datetime", "2013-W05-4", "not a datetime"),
        ("datetime", ["2013-01-31"], "not a datetime"),
    ],
)
def test_other_cells_are_refused_in_words(kind: Kind, cell: Any, why: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(BadCellError, match=why):
        read(kind, cell)


TEXTS = st.text(st.sampled_from("0123456789+-.eE truefalsyno\n\0"), max_size=6)


@given(st.sampled_from(["number", "integer", "boolean", "category"]), TEXTS)
def test_the_pattern_of_a_type_says_which_texts_it_takes(kind: Kind, text: str) -> None:
    """It stands in a model's document, for clients to check by."""
    try:
        read(kind, text)
        taken = True
    except BadCellError as error:
        taken = "finite" in str(error)  # how large a number is no pattern can say

    assert taken == bool(re.search(text_pattern(kind), text))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ZIP", "zip"),
        (" size ", "size"),
        ("Floor Area", "floor_area"),
        ("siez", "size"),
        ("q", None),
        ("x" * 9999, None),
    ],
)
def test_the_name_that_was_perhaps_meant(name: str, meant: str | None) -> None:
    """Case, spaces and a slip of the finger."""
    assert near_name(name, ["size", "zip", "floor_area"]) == meant
