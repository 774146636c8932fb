"""Texts as a locale writes them have one meaning, or none."""

from typing import Any

import pytest
from interlock_contracts.data import Column, Csv
from interlock_tables.locales import Locale, plain
from interlock_tables.spellings import BadCellError
from pydantic import ValidationError

EUROPE, SWISS, FRANCE, STATES = Locale(",", "."), Locale(".", "'"), Locale(",", " "), Locale(".", ",")


@pytest.mark.parametrize(
    ("locale", "text", "meant"),
    [
        (EUROPE, "1.234.567,89", "1234567.89"),
        (EUROPE, "-1.000", "-1000"),
        (EUROPE, " 30,75 ", "30.75"),
        (EUROPE, "1,5e3", "1.5e3"),
        (SWISS, "1'000.5", "1000.5"),
        (FRANCE, "1\u202f000,5", "1000.5"),
        (FRANCE, "1\u00a0000", "1000"),
        (STATES, "1,000", "1000"),
        (STATES, "10,00", "10,00"),
        (Locale(",", None), "1000,5", "1000.5"),
    ],
)
def test_a_number_is_read_as_declared(locale: Locale, text: str, meant: str) -> None:
    """Groups have three digits; what has others is left as it is, for the table of spellings to refuse."""
    assert plain("number", text, locale, None) == meant


@pytest.mark.parametrize("text", ["1.5", "1.00", "1.0000", "1,5.5"])
def test_a_point_is_no_decimal_sign_where_the_comma_is(text: str) -> None:
    """It could mean either; so it means neither."""
    with pytest.raises(BadCellError, match="has a point"):
        plain("number", text, EUROPE, None)


def test_other_types_are_left_alone() -> None:
    """A category is its text."""
    assert plain("category", "1.000,5", EUROPE, None) == "1.000,5"


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ({"type": "number", "format": "%d.%m.%Y"}, "format belongs to datetime columns, not to number"),
        ({"type": "datetime", "format": "%H:%M"}, "does not say which day it is"),
        ({"type": "datetime", "format": "%"}, "does not say which day it is"),
        ({"type": "datetime", "format": "%Y-%d-%m"}, "could be taken for ISO 8601"),
    ],
)
def test_a_format_must_say_which_day_it_is(declared: Any, why: str) -> None:
    """Before any file comes."""
    with pytest.raises(ValidationError, match=why):
        Column.model_validate(declared)


def test_signs_must_differ() -> None:
    """Else no number could be told."""
    with pytest.raises(ValidationError, match="decimal and thousands are both ','"):
        Csv(decimal=",", thousands=",")
