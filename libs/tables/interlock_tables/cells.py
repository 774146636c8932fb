"""Texts to typed values by documented spellings; a text that has none is a bad cell, and says why.

A column is cast as a whole where Arrow's parser and ours agree; only what it refuses is looked at one distinct text at
a time. Spaces around numbers, integers, booleans and datetimes do not count; a category is taken as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.pipeline import Column
from numpy.typing import NDArray

from interlock_tables.findings import EXAMPLES_SHOWN, Cause
from interlock_tables.typed import ARROW_TYPES, MAX_CELL_BYTES, Cells, compute

BOOLEANS = {"true": True, "t": True, "yes": True, "y": True, "1": True} | {
    "false": False,
    "f": False,
    "no": False,
    "n": False,
    "0": False,
}
NOT_FINITE = "is not a finite number; name it in data.csv.null_values if it means missing"

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+(\.0*)?")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}([,' \u00a0\u202f][0-9]{3})+(\.[0-9]+)?")
_DATETIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_PLAIN = {
    "number": r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$",
    "integer": r"^-?[0-9]{1,18}$",
    "boolean": r"^$x",
    "datetime": r"^$x",
}
"""By type what Arrow casts exactly as we would, for a column whose other cells need a closer look."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


class BadCellError(ValueError):
    """A text is no value of its column's type; the message goes on after the column's name."""


@dataclass
class Faults:
    """Bad cells of one column, gathered by cause."""

    column: str
    by_cause: dict[Cause, tuple[NDArray[np.bool_], list[str]]] = field(default_factory=dict)

    def add(self, rule: str, why: str, mask: NDArray[np.bool_], examples: Sequence[str]) -> None:
        """Note the cells of ``mask`` as bad."""
        self.by_cause[Cause(rule, self.column, f"{self.column!r} {why}")] = (mask, list(examples))


def parse_texts(name: str, column: Column, texts: pa.Array[Any]) -> Cells:
    """Return the cells of a text column (nulls already are nulls) in its declared type."""
    faults = Faults(name)
    if column.type == "category":
        return Cells(_without_long(texts, faults), faults.by_cause)
    values = _cast(texts, column.type)
    if values is None:
        texts = compute.ascii_trim_whitespace(texts)
        values = _cast(texts, column.type)
    if values is None:
        values = _one_by_one(texts, column.type, faults)
    return Cells(values, faults.by_cause)


def leading_zeros(texts: pa.Array[Any]) -> NDArray[np.bool_]:
    """Return which cells write a number with zeros before it: read as a number, ``007`` and ``7`` are the same."""
    mask = compute.match_substring_regex(texts, r"^\s*[+-]?0[0-9]").fill_null(False)
    zeros: NDArray[np.bool_] = mask.to_numpy(zero_copy_only=False)
    return zeros


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
    if len(digits.lstrip("+-0")) > 19 or not -(2**63) <= (value := int(digits)) < 2**63:  # noqa: PLR2004
        raise BadCellError("does not fit 64 bits; declare it as number or category")
    return value


def boolean(text: str) -> bool:
    """Return the boolean that a text spells, in any case."""
    value = BOOLEANS.get(text.lower())
    if value is None:
        raise BadCellError("is not a boolean: write true or false (or yes, no, y, n, t, f, 1, 0)")
    return value


def microseconds(text: str) -> int:
    """Return the microseconds since 1970 UTC of an ISO 8601 date or datetime; without offset it is UTC."""
    match = _DATETIME.fullmatch(text)
    if match is None:
        raise BadCellError("is not a datetime: write ISO 8601, such as 2026-01-31 or 2026-01-31T12:30:00Z")
    date, time, fraction, offset = match.groups()
    if fraction and fraction[6:].strip("0"):
        raise BadCellError("has more digits than microseconds")
    try:
        moment = datetime.fromisoformat(f"{date}T{time or '00:00'}{(offset or 'Z')}")
    except ValueError:
        raise BadCellError("is not a datetime that exists (as 30 February does not)") from None
    micros = (moment - _EPOCH) // _MICROSECOND + int(((fraction or "") + "000000")[:6])
    if not _FIRST <= micros <= _LAST:
        raise BadCellError("is outside the years 1 to 9999 in UTC")
    return micros


_PARSERS: dict[str, Callable[[str], float | int | bool]] = {
    "number": number,
    "integer": integer,
    "boolean": boolean,
    "datetime": microseconds,
}


def _cast(texts: pa.Array[Any], kind: str) -> pa.Array[Any] | None:
    """Return the whole column typed, or None when Arrow refuses a cell or might read one more leniently than we do."""
    if kind == "boolean":
        return None
    try:
        values: pa.Array[Any] = _cast_datetimes(texts) if kind == "datetime" else texts.cast(ARROW_TYPES[kind])
    except pa.ArrowInvalid:
        return None
    if kind == "number" and not compute.all(compute.is_finite(values), skip_nulls=True, min_count=0).as_py():
        return None
    if kind == "integer" and compute.any(compute.match_substring(texts, "x", ignore_case=True)).as_py():
        return None  # Arrow takes 0x1F for 31
    if kind == "datetime" and not in_calendar(values).all():
        return None
    return values


def in_calendar(moments: pa.Array[Any]) -> NDArray[np.bool_]:
    """Return which datetimes lie in the years 1 to 9999 in UTC, as Python and most other readers need; nulls do."""
    micros: NDArray[np.int64] = moments.cast(pa.int64()).fill_null(0).to_numpy()
    return (micros >= _FIRST) & (micros <= _LAST)


def _cast_datetimes(texts: pa.Array[Any]) -> pa.Array[Any]:
    """Cast a column that is all with or all without offset; Arrow knows either, not a mixture, and hours alone."""
    if compute.any(compute.match_substring_regex(texts, "[T ][0-9]{2}($|[Z+-])")).as_py():
        raise pa.ArrowInvalid("an hour alone is not one of our spellings")
    try:
        return texts.cast(pa.timestamp("us")).cast(ARROW_TYPES["datetime"])
    except pa.ArrowInvalid:
        return texts.cast(ARROW_TYPES["datetime"])


def _one_by_one(texts: pa.Array[Any], kind: str, faults: Faults) -> pa.Array[Any]:
    """Cast the plain cells at once and parse each other distinct text once; bad ones become null and are noted."""
    nothing = pa.scalar(None, pa.string())
    plain = compute.match_substring_regex(texts, _PLAIN[kind])
    encoded = compute.if_else(plain, nothing, texts).dictionary_encode()
    values: list[float | int | bool | None] = []
    bad: dict[str, list[int]] = {}
    distinct: list[str] = encoded.dictionary.to_pylist()
    for index, text in enumerate(distinct):
        try:
            values.append(_PARSERS[kind](text))
        except BadCellError as error:
            values.append(None)
            bad.setdefault(str(error), []).append(index)
    indices: NDArray[np.int64] = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    for why, which in bad.items():
        faults.add("type", why, np.isin(indices, which), [distinct[index] for index in which[:EXAMPLES_SHOWN]])
    stored = pa.int64() if kind == "datetime" else ARROW_TYPES[kind]
    parsed = pa.array(values, stored).take(encoded.indices).cast(ARROW_TYPES[kind])
    cast = compute.if_else(plain, texts, nothing).cast(ARROW_TYPES[kind])
    whole: pa.Array[Any] = compute.coalesce(cast, parsed)
    return whole


def _without_long(texts: pa.Array[Any], faults: Faults) -> pa.Array[Any]:
    """Return the texts with cells above the limit replaced by null and noted."""
    longest = compute.max(compute.binary_length(texts)).as_py()
    if longest is None or longest <= MAX_CELL_BYTES:
        return texts
    long = compute.greater(compute.binary_length(texts), MAX_CELL_BYTES).fill_null(False)
    mask: NDArray[np.bool_] = long.to_numpy(zero_copy_only=False)
    faults.add("cell_length", f"is longer than {MAX_CELL_BYTES} bytes", mask, [texts.filter(long)[0].as_py()])
    shortened: pa.Array[Any] = compute.if_else(long, pa.scalar(None, pa.string()), texts)
    return shortened


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
