"""Whole columns of texts to typed values by the table of spellings; a text that has none is a bad cell, and says why.

A column is cast as a whole where Arrow's parser and ours agree; only what it refuses is looked at one distinct text at
a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.data import Column
from numpy.typing import NDArray

from interlock_tables.findings import EXAMPLES_SHOWN, Cause
from interlock_tables.locales import PLAIN, Locale, plain
from interlock_tables.spellings import (
    CUT_DIGITS,
    FIRST_MICROSECOND,
    LAST_MICROSECOND,
    MAX_CELL_BYTES,
    PARSERS,
    BadCellError,
    Value,
)
from interlock_tables.typed import ARROW_TYPES, Cells, compute

_PLAIN = {
    "number": r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$",
    "integer": r"^-?[0-9]{1,18}$",
}
"""By type what Arrow casts exactly as we would, for a column whose other cells need a closer look."""


Odd = dict[Cause, tuple[NDArray[np.bool_], list[str]]]
"""By cause the mask of cells that are not quite as they were written, and what the first of them look like."""


@dataclass
class Faults:
    """Bad cells of one column, gathered by cause."""

    column: str
    by_cause: dict[Cause, tuple[NDArray[np.bool_], Sequence[str]]] = field(default_factory=dict)

    def add(self, rule: str, why: str, mask: NDArray[np.bool_], examples: Sequence[str]) -> None:
        """Note the cells of ``mask`` as bad."""
        self.by_cause[Cause(rule, self.column, f"{self.column!r} {why}")] = (mask, list(examples))


def parse_texts(name: str, column: Column, texts: pa.Array[Any], locale: Locale = PLAIN) -> Cells:
    """Return the cells of a text column (nulls already are nulls) in its declared type."""
    faults = Faults(name)
    texts = _plain(texts, column, locale, faults)
    if column.type == "category":
        return Cells(_without_long(texts, faults), faults.by_cause)
    values = _cast(texts, column.type)
    if values is None:
        texts = compute.ascii_trim_whitespace(texts)
        values = _cast(texts, column.type)
    if values is not None:
        return Cells(values, faults.by_cause)
    values = _one_by_one(texts, column.type, faults)
    return Cells(values, faults.by_cause, cut_digits(name, texts) if column.type == "datetime" else {})


def _plain(texts: pa.Array[Any], column: Column, locale: Locale, faults: Faults) -> pa.Array[Any]:
    """Return the texts as the table of spellings has them, null where they are not written as declared."""
    declared = (column.type in ("number", "integer") and locale != PLAIN) or column.format is not None
    if not declared:
        return texts
    encoded = texts.dictionary_encode()
    return _each(encoded, faults, lambda text: plain(column.type, text, locale, column.format), pa.string())


def cut_digits(name: str, texts: pa.Array[Any]) -> Odd:
    """Return which datetimes are finer than microseconds, as cells that lost something."""
    mask = compute.match_substring_regex(texts, CUT_DIGITS).fill_null(False)
    return cut(name, mask.to_numpy(zero_copy_only=False), texts)


def cut(name: str, mask: NDArray[np.bool_], written: pa.Array[Any]) -> Odd:
    """Return the datetimes of ``mask`` as cells that lost their digits beyond microseconds."""
    if not mask.any():
        return {}
    why = f"{name!r} has more digits than microseconds, which are cut off"
    examples = written.filter(pa.array(mask)).slice(0, EXAMPLES_SHOWN).cast(pa.string()).to_pylist()
    return {Cause("fraction_digits", name, why): (mask, [str(text) for text in examples])}


def leading_zeros(texts: pa.Array[Any]) -> NDArray[np.bool_]:
    """Return which cells write a number with zeros before it: read as a number, ``007`` and ``7`` are the same."""
    first, second, third = (byte_at(texts, place) for place in range(3))
    signed = (first == ord("+")) | (first == ord("-"))
    after = np.where(signed, third, second)
    zeros: NDArray[np.bool_] = (np.where(signed, second, first) == ord("0")) & (after >= ord("0")) & (after <= ord("9"))
    if (spaced := (first > 0) & (first <= ord(" "))).any():
        some = compute.match_substring_regex(texts.filter(pa.array(spaced)), r"^\s*[+-]?0[0-9]").fill_null(False)
        zeros[spaced] = some.to_numpy(zero_copy_only=False)
    return zeros


def byte_at(texts: pa.Array[Any], place: int) -> NDArray[np.uint8]:
    """Return the UTF-8 byte at this place of each text, shape (texts,); 0 where it is shorter, or null.

    A ``place`` below 0 counts from the end.
    """
    buffers: list[Any] = texts.buffers()
    _, ends, data = buffers
    found = np.zeros(len(texts), dtype=np.uint8)
    if data is None or not data.size:
        return found
    bounds = np.frombuffer(ends, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    at = (bounds[:-1] if place >= 0 else bounds[1:]) + place
    there = (at >= bounds[:-1]) & (at < bounds[1:])
    if texts.null_count:
        there &= texts.is_valid().to_numpy(zero_copy_only=False)
    bytes_ = np.frombuffer(data, dtype=np.uint8)
    if there.all():
        return bytes_[at]
    found[there] = bytes_[at[there]]
    return found


def _may_hold_x(texts: pa.Array[Any]) -> bool:
    """Return whether there is an x in the memory that the texts lie in."""
    data: Any = texts.buffers()[2]
    return data is not None and bool(((np.frombuffer(data, dtype=np.uint8) | 0x20) == ord("x")).any())


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
    if (
        kind == "integer"
        and _may_hold_x(texts)
        and compute.any(compute.match_substring(texts, "x", ignore_case=True)).as_py()
    ):
        return None  # Arrow takes 0x1F for 31
    if kind == "datetime" and not in_calendar(values).all():
        return None
    return values


def in_calendar(moments: pa.Array[Any]) -> NDArray[np.bool_]:
    """Return which datetimes lie in the years 1 to 9999 in UTC, as Python and most other readers need; nulls do."""
    micros: NDArray[np.int64] = moments.cast(pa.int64()).fill_null(0).to_numpy()
    return (micros >= FIRST_MICROSECOND) & (micros <= LAST_MICROSECOND)


def _cast_datetimes(texts: pa.Array[Any]) -> pa.Array[Any]:
    """Cast a column that is all with or all without offset; Arrow knows either, not a mixture, and hours alone."""
    beyond = byte_at(texts, 13)
    hours = (byte_at(texts, 10) > 0) & (beyond != ord(":"))  # there no minutes follow, if it is a datetime at all
    if hours.any() and compute.any(compute.match_substring_regex(texts, "[T ][0-9]{2}($|[Z+-])")).as_py():
        raise pa.ArrowInvalid("an hour alone is not one of our spellings")
    try:
        return texts.cast(pa.timestamp("us")).cast(ARROW_TYPES["datetime"])
    except pa.ArrowInvalid:
        return texts.cast(ARROW_TYPES["datetime"])


def _one_by_one(texts: pa.Array[Any], kind: str, faults: Faults) -> pa.Array[Any]:
    """Cast the plain cells at once and parse each other distinct text once; bad ones become null and are noted."""
    if kind not in _PLAIN:
        stored = pa.int64() if kind == "datetime" else ARROW_TYPES[kind]
        each: pa.Array[Any] = _each(texts.dictionary_encode(), faults, PARSERS[kind], stored).cast(ARROW_TYPES[kind])
        return each
    nothing = pa.scalar(None, pa.string())
    ordinary = compute.match_substring_regex(texts, _PLAIN[kind])
    encoded = compute.if_else(ordinary, nothing, texts).dictionary_encode()
    parsed = _each(encoded, faults, PARSERS[kind], ARROW_TYPES[kind])
    cast = compute.if_else(ordinary, texts, nothing).cast(ARROW_TYPES[kind])
    whole: pa.Array[Any] = compute.coalesce(cast, parsed)
    return whole


def _each(encoded: Any, faults: Faults, parse: Callable[[str], Value], stored: pa.DataType) -> pa.Array[Any]:
    """Return what ``parse`` makes of each distinct text of a dictionary; bad ones become null and are noted."""
    values: list[Value | None] = []
    bad: dict[str, list[int]] = {}
    distinct: list[str] = encoded.dictionary.to_pylist()
    for index, text in enumerate(distinct):
        try:
            values.append(parse(text))
        except BadCellError as error:
            values.append(None)
            bad.setdefault(str(error), []).append(index)
    indices: NDArray[np.int64] = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    for why, which in bad.items():
        faults.add("type", why, np.isin(indices, which), [distinct[index] for index in which[:EXAMPLES_SHOWN]])
    parsed: pa.Array[Any] = pa.array(values, stored).take(encoded.indices)
    return parsed


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
