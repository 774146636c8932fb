"""Texts as the pipeline says that they are written: decimal sign, thousands separator, a format of dates.

Whatever is declared, a text has one meaning: with a decimal comma, ``1.5`` is refused and never fifteen or one and a
half, and ``1.000`` is a thousand only where the point is the declared separator.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from interlock_tables import spellings
from interlock_tables.spellings import SPACES, BadCellError, Kind, Value

_WIDE_SPACES = " \u00a0\u202f"
"""A separator that is a space may be one that does not break, as spreadsheets write it."""

_SHOWN = datetime(2026, 1, 31, 12, 30)  # noqa: DTZ001 - an example in words


class Locale(NamedTuple):
    """How numbers are written: the sign before decimals, and what may stand between groups of three digits."""

    decimal: str = "."
    thousands: str | None = None


PLAIN = Locale()


class TextCells(NamedTuple):
    """What texts mean in a format that has types of its own: words for a missing cell, and how numbers are written."""

    null_values: frozenset[str] = frozenset()
    locale: Locale = PLAIN


AS_TYPED = TextCells()


def plain(kind: str, text: str, locale: Locale, date_format: str | None) -> str:
    """Return a text of a column of type ``kind`` as the table of spellings has it.

    A datetime may be written in ISO 8601 as well as in its format.

    Raises:
        BadCellError: it is not written as declared.
    """
    if kind in ("number", "integer") and locale != PLAIN:
        return _plain_number(text.strip(SPACES), locale)
    if kind == "datetime" and date_format is not None:
        return _plain_datetime(text.strip(SPACES), date_format)
    return text


def read(kind: Kind, value: Any, locale: Locale = PLAIN, date_format: str | None = None) -> Value:
    """Return what one cell of JSON or of a tensor means, a text as it is declared to be written.

    Raises:
        BadCellError: it has no meaning there.
    """
    return spellings.read(kind, plain(kind, value, locale, date_format) if type(value) is str else value)


def _plain_number(text: str, locale: Locale) -> str:
    grouped = _grouped(locale)
    if grouped is not None and grouped.fullmatch(text):
        text = "".join(sign for sign in text if sign not in _separators(locale))
    if locale.decimal == ",":
        if "." in text:
            raise BadCellError("has a point, and the declared decimal sign is ','; write 1,5")
        text = text.replace(",", ".", 1)
    return text


def _separators(locale: Locale) -> str:
    return _WIDE_SPACES if locale.thousands == " " else locale.thousands or ""


@lru_cache(maxsize=64)
def _grouped(locale: Locale) -> re.Pattern[str] | None:
    if locale.thousands is None:
        return None
    return re.compile(rf"[+-]?[0-9]{{1,3}}([{_separators(locale)}][0-9]{{3}})+({re.escape(locale.decimal)}[0-9]*)?")


def _plain_datetime(text: str, date_format: str) -> str:
    try:
        return datetime.strptime(text, date_format).isoformat()  # noqa: DTZ007 - without an offset it is UTC
    except ValueError:
        if re.match(r"[0-9]{4}-", text):
            return text
        why = f"is not a datetime as declared: write {_SHOWN.strftime(date_format)}, or ISO 8601"
        raise BadCellError(why) from None
