"""The one table of spellings: what a cell may look like, wherever it comes from, and which value it then has.

A text means the same in a CSV, in JSON and in a tensor. JSON's own numbers and booleans are taken as they are, and
where a type has no JSON of its own (a category written as a number, a boolean as 1 or 0) by the digits they stand for.
Spaces around numbers, integers, booleans and datetimes do not count; a category is taken as it is.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np

Kind = Literal["number", "integer", "boolean", "category", "datetime"]
Value = float | int | bool | str

MAX_CELL_BYTES = 65_536

BOOLEANS = {"true": True, "t": True, "yes": True, "y": True, "1": True} | {
    "false": False,
    "f": False,
    "no": False,
    "n": False,
    "0": False,
}
NOT_FINITE = "is not a finite number; name it in data.csv.null_values if it means missing"

_LONGEST_CODE = 4096
"""Bits of an integer that may stand for a category: larger ones have no text."""

SPACES = " \t\n\r\v\f"
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+(\.0*)?")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}([,' \u00a0\u202f][0-9]{3})+(\.[0-9]+)?")
_DATETIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.([0-9]*))?(Z|[+-][0-9]{2}[0-9:.]*)?)?"
)
CUT_DIGITS = r"\.[0-9]{6}[0-9]*[1-9]"
"""What a datetime holds that is finer than a microsecond: it is cut off."""

_NO_DATETIME = "is not a datetime: write ISO 8601, such as 2026-01-31 or 2026-01-31T12:30:00Z"
_NO_BOOLEAN = "is not a boolean: write true or false (or yes, no, y, n, t, f, 1, 0)"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
FIRST_MICROSECOND = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST_MICROSECOND = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


class BadCellError(ValueError):
    """A cell is no value of its column's type; the message goes on after the column's name."""


def number(text: str) -> float:
    """Return the finite number that a text spells, such as ``-1``, ``+2.50``, ``.5`` or ``1e-3``."""
    if not _NUMBER.fullmatch(text):
        raise BadCellError(_why_no_number(text, "a number"))
    value = float(text)
    if not np.isfinite(value):
        raise BadCellError(NOT_FINITE)
    return value


def integer(text: str) -> int:
    """Return the integer that a text spells; ``517.0`` counts, since that is how exports write integers."""
    if not _INTEGER.fullmatch(text):
        raise BadCellError(_why_no_number(text, "an integer"))
    digits = text.partition(".")[0]
    if len(digits.lstrip("+-0")) > 19:  # noqa: PLR2004
        raise _too_large()
    return _of_64_bits(int(digits))


def boolean(text: str) -> bool:
    """Return the boolean that a text spells, in any case."""
    value = BOOLEANS.get(text.lower())
    if value is None:
        raise BadCellError(_NO_BOOLEAN)
    return value


def category(text: str) -> str:
    """Return the text itself, if it can be stored."""
    if text.isascii() and len(text) <= MAX_CELL_BYTES and "\0" not in text:
        return text
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise BadCellError("holds half a surrogate pair, which is no character") from None
    if length > MAX_CELL_BYTES:
        raise BadCellError(f"is longer than {MAX_CELL_BYTES} bytes")
    if "\0" in text:
        raise BadCellError("holds a NUL character")
    return text


def microseconds(text: str) -> int:
    """Return the microseconds since 1970 UTC of an ISO 8601 date or datetime; without offset it is UTC.

    Digits beyond microseconds are cut.
    """
    match = _DATETIME.fullmatch(text)
    if match is None:
        raise BadCellError(_NO_DATETIME)
    date, time, fraction, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{time or '00:00'}{(offset or 'Z')}")
    except ValueError:
        raise BadCellError("is not a datetime that exists (as 30 February does not)") from None
    micros = (moment - _EPOCH) // _MICROSECOND + int(((fraction or "") + "000000")[:6])
    if not FIRST_MICROSECOND <= micros <= LAST_MICROSECOND:
        raise BadCellError("is outside the years 1 to 9999 in UTC")
    return micros


PARSERS: dict[str, Callable[[str], Value]] = {
    "number": number,
    "integer": integer,
    "boolean": boolean,
    "category": category,
    "datetime": microseconds,
}
"""By type what a text means, without the spaces around it."""


def text_pattern(kind: Kind) -> str:
    """Return a regular expression for the texts that a column of type ``kind`` may hold, as JSON Schema has them."""
    if kind in ("category", "datetime"):
        return r"^[^\u0000]*$"
    words = "|".join("".join(f"[{letter.upper()}{letter}]" for letter in word) for word in BOOLEANS)
    spelt = {"number": _NUMBER.pattern, "integer": _INTEGER.pattern, "boolean": words}[kind]
    return rf"^[ \t\n\r\v\f]*({spelt})[ \t\n\r\v\f]*$"


def read(kind: Kind, value: Any) -> Value:
    """Return what one cell of JSON or of a tensor means in a column of type ``kind``; a datetime in microseconds.

    Raises:
        BadCellError: it has no meaning there.
    """
    if type(value) is str:
        return category(value) if kind == "category" else PARSERS[kind](value.strip(SPACES))
    return _READERS[kind](value)


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise BadCellError("is not a number")
    try:
        number = float(value)
    except OverflowError:
        raise BadCellError("is too large for a 64-bit float") from None
    if not np.isfinite(number):
        raise BadCellError("is not a finite number")
    return number


def _integer(value: Any) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise BadCellError("is not an integer")
    return _of_64_bits(value)


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    if type(value) in (int, float) and value in (0, 1):
        return bool(value)
    raise BadCellError(_NO_BOOLEAN)


def _category(value: Any) -> str:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or value.bit_length() > _LONGEST_CODE:
        raise BadCellError("is not a text (an integer counts as its digits)")
    return str(value)


def _datetime(_: Any) -> int:
    raise BadCellError(_NO_DATETIME)


_READERS: dict[str, Callable[[Any], Value]] = {
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "category": _category,
    "datetime": _datetime,
}
"""By type what a cell means that is no text."""


def _of_64_bits(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise _too_large()
    return value


def _too_large() -> BadCellError:
    return BadCellError("does not fit into 64 bits; declare it as number or category")


def _why_no_number(text: str, what: str) -> str:
    """Say what keeps a text from being a number, as helpfully as its look allows."""
    if not text:
        return f"is empty, which is not {what}; name the empty text in data.csv.null_values if it means missing"
    if _THOUSANDS.fullmatch(text):
        return "has a thousands separator: write 44761, not 44,761"
    if "," in text and _NUMBER.fullmatch(text.replace(",", ".", 1)):
        return "has a decimal comma: write 1.5, not 1,5"
    if text.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        return NOT_FINITE
    if text.endswith("%") or not text.isascii() or text[0] == "$":
        return f"is not {what}: write the digits alone, without unit or sign of currency"
    return f"is not {what}"
