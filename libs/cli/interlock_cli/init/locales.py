"""Locale of a CSV: how its texts write numbers and dates where that is not the usual way, and how to declare it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa
from interlock_tables.locales import PLAIN, Locale
from interlock_tables.typed import compute

_LOOKED_AT = 1000
_DATES = ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%Y/%m/%d", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_SPACES = " \u00a0\u202f"


def signs(texts: pa.Array[Any], delimiter: str) -> Locale | None:
    """Return how distinct texts write numbers; None where they are none, however they are read.

    ``1,500`` may be a thousand and a half or one and a half: it is the latter where the delimiter is a semicolon, as
    it is in countries that write a decimal comma.
    """
    comma = [Locale(",", None), Locale(",", "."), Locale(",", " ")]
    point = [Locale(".", ","), Locale(".", "'"), Locale(".", " ")]
    for locale in comma + point if delimiter == ";" else point + comma:
        if compute.all(compute.match_substring_regex(texts, _pattern(locale))).as_py():
            return locale
    return None


def _pattern(locale: Locale) -> str:
    separator = _SPACES if locale.thousands == " " else locale.thousands
    whole = rf"([0-9]+|[0-9]{{1,3}}([{separator}][0-9]{{3}})+)" if separator else "[0-9]+"
    return rf"^\s*[+-]?{whole}([{locale.decimal}][0-9]+)?\s*$"


def agreed(found: Iterable[Locale]) -> Locale:
    """Return what most columns have: one decimal sign, and the commonest separator that is not it."""
    locales = list(found)
    if not locales:
        return PLAIN
    decimal = Counter(each.decimal for each in locales).most_common(1)[0][0]
    separators = Counter(each.thousands for each in locales if each.thousands not in (None, decimal))
    return Locale(decimal, separators.most_common(1)[0][0] if separators else None)


def date_format(texts: pa.Array[Any]) -> str | None:
    """Return the format that all of the first distinct texts have; where several do, months stand before days."""
    return next(_formats(texts), None)


def other_reading(texts: pa.Array[Any], chosen: str) -> str | None:
    """Say which other format would read the texts as well, if one would."""
    other = next((each for each in _formats(texts) if each != chosen), None)
    return f"the days may as well be written {other}: no cell tells" if other else None


def _formats(texts: pa.Array[Any]) -> Iterator[str]:
    shown = [str(text).strip() for text in texts.slice(0, _LOOKED_AT).to_pylist()]
    formats = (day + time for day in _DATES for time in _TIMES)
    return (each for each in formats if shown and all(_fits(text, each) for text in shown))


def _fits(text: str, wanted: str) -> bool:
    try:
        datetime.strptime(text, wanted)  # noqa: DTZ007 - only whether it can be read
    except ValueError:
        return False
    return True
