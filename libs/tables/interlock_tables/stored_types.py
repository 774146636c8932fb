"""Columns of Parquet as they are stored, read as they are declared: the same value that its text in a CSV would have.

pandas, Spark and Snowflake store an integer column with missing cells as doubles, whole numbers as decimals, booleans
as 0 and 1, texts as bytes. What cannot be told from what is stored (the unit of an epoch, the spelling of a date as a
text) is refused, with a hint what to do instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.data import Column
from numpy.typing import NDArray

from interlock_tables.cells import Faults, Odd, cut, in_calendar, parse_texts
from interlock_tables.findings import EXAMPLES_SHOWN, Cause
from interlock_tables.locales import AS_TYPED, TextCells
from interlock_tables.typed import ARROW_TYPES, Cells, compute

_FLOAT_OF_INT64 = 2.0**63


def misfit(stored: pa.DataType, declared: str) -> str | None:
    """Return why a column stored as ``stored`` is not read as ``declared``, and what to do; None where it is."""
    types = pa.types
    if types.is_dictionary(stored):
        stored = stored.value_type
    if types.is_null(stored) or is_text(stored):
        return None
    if types.is_integer(stored) or types.is_floating(stored) or types.is_decimal(stored):
        return "its unit is not told: store a timestamp" if declared == "datetime" else None
    if types.is_boolean(stored):
        return None if declared == "boolean" else "declare it as boolean"
    if types.is_timestamp(stored) or types.is_date(stored):
        return None if declared == "datetime" else "declare it as datetime, or store it as text"
    return "store it as numbers, booleans, texts or timestamps"


def typed_cells(name: str, column: Column, stored: pa.Array[Any], texts: TextCells = AS_TYPED) -> Cells:
    """Return a column, whose stored type fits, in its declared type; cells that would lose something are bad."""
    if pa.types.is_dictionary(stored.type):
        stored = stored.dictionary_decode()  # type: ignore[attr-defined]
    if is_text(stored.type):
        return _of_texts(name, column, stored, texts)
    stored, odd = _without_nan(name, stored)
    cells = _READERS[column.type](name, stored)
    return replace(cells, odd={**cells.odd, **odd})


def is_text(stored: pa.DataType) -> bool:
    """Return whether a column holds texts, or bytes that may be some."""
    types = pa.types
    is_binary = types.is_binary(stored) or types.is_large_binary(stored) or types.is_binary_view(stored)
    return is_binary or _holds_texts(stored)


def _holds_texts(stored: pa.DataType) -> bool:
    return pa.types.is_string(stored) or pa.types.is_large_string(stored) or pa.types.is_string_view(stored)


def _of_texts(name: str, column: Column, stored: pa.Array[Any], meant: TextCells) -> Cells:
    """Read texts, or bytes that are some, by the table of spellings."""
    faults = Faults(name)
    texts = stored.cast(pa.string()) if _holds_texts(stored.type) else _decoded(stored, faults)
    texts.validate(full=True)  # Arrow takes a text's bytes as they are
    if meant.null_values:
        missing = compute.is_in(texts, pa.array(sorted(meant.null_values), pa.string()))
        texts = compute.if_else(missing, pa.scalar(None, pa.string()), texts)
    cells = parse_texts(name, column, texts, meant.locale)
    faults.by_cause.update(cells.faults)
    values = cells.values
    if column.type == "category":
        nul: NDArray[np.bool_] = compute.match_substring(values, "\0").fill_null(False).to_numpy(zero_copy_only=False)
        if nul.any():
            faults.add("type", "holds a NUL character", nul, _examples(texts, nul))
            values = compute.if_else(pa.array(nul), pa.scalar(None, pa.string()), values)
    return Cells(values, faults.by_cause, cells.odd)


def _decoded(stored: pa.Array[Any], faults: Faults) -> pa.Array[Any]:
    """Return bytes as texts, null where they are not UTF-8."""
    try:
        return stored.cast(pa.string())
    except pa.ArrowInvalid:
        texts = [None if cell is None else cell.decode(errors="replace") for cell in stored.to_pylist()]
        bad = np.array([text is not None and "\ufffd" in text for text in texts])
        faults.add("type", "is not UTF-8", bad, [text for text in texts if text and "\ufffd" in text][:EXAMPLES_SHOWN])
        return pa.array(texts, pa.string(), mask=bad | np.array([text is None for text in texts]))


def _without_nan(name: str, stored: pa.Array[Any]) -> tuple[pa.Array[Any], Odd]:
    """Return the column with null for NaN, by which NumPy, Polars and Spark write a missing number, and say so."""
    if not pa.types.is_floating(stored.type):
        return stored, {}
    nan: NDArray[np.bool_] = compute.is_nan(stored).fill_null(False).to_numpy(zero_copy_only=False)
    if not nan.any():
        return stored, {}
    values: pa.Array[Any] = compute.if_else(pa.array(nan), pa.scalar(None, stored.type), stored)
    return values, {Cause("nan", name, f"{name!r} is NaN, which counts as missing"): (nan, ["nan"])}


def _numbers(name: str, stored: pa.Array[Any]) -> Cells:
    values = stored.cast(pa.float64(), safe=False)
    values = compute.if_else(compute.is_finite(values), values, pa.scalar(None, values.type))
    return _checked(name, values, stored, "is not a finite number")


def _integers(name: str, stored: pa.Array[Any]) -> Cells:
    if pa.types.is_decimal(stored.type):
        return parse_texts(name, Column(type="integer"), stored.cast(pa.string()))
    if not pa.types.is_floating(stored.type):
        return _checked(name, _cast_losslessly(stored, pa.int64()), stored, "does not fit 64 bits")
    doubles = stored.cast(pa.float64())
    in_range = compute.and_(compute.greater_equal(doubles, -_FLOAT_OF_INT64), compute.less(doubles, _FLOAT_OF_INT64))
    whole = compute.and_(compute.equal(doubles, compute.floor(doubles)), in_range)
    values = compute.if_else(whole, doubles, pa.scalar(None, pa.float64())).cast(pa.int64())
    return _checked(name, values, stored, "is not a whole number of 64 bits")


def _booleans(name: str, stored: pa.Array[Any]) -> Cells:
    if pa.types.is_boolean(stored.type):
        return Cells(stored, {})
    integers: Any = _integers(name, stored).values
    known = compute.is_in(integers, pa.array([0, 1], pa.int64()))
    values = compute.if_else(known, integers, pa.scalar(None, pa.int64())).cast(pa.bool_())
    return _checked(name, values, stored, "is not a boolean: store true and false, or 0 and 1")


def _codes(name: str, stored: pa.Array[Any]) -> Cells:
    if pa.types.is_integer(stored.type):
        return Cells(stored.cast(pa.string()), {})
    integers = _integers(name, stored)
    return Cells(integers.values.cast(pa.string()), integers.faults)


def _datetimes(name: str, stored: pa.Array[Any]) -> Cells:
    kind = ARROW_TYPES["datetime"]
    stored, odd = _to_microseconds(name, stored)
    values = _cast_losslessly(stored, kind)
    values = compute.if_else(pa.array(in_calendar(values)), values, pa.scalar(None, kind))
    return replace(_checked(name, values, stored, "is not in the years 1 to 9999"), odd=odd)


_READERS: dict[str, Callable[[str, pa.Array[Any]], Cells]] = {
    "number": _numbers,
    "integer": _integers,
    "boolean": _booleans,
    "category": _codes,
    "datetime": _datetimes,
}
"""By declared type how a column that holds no texts is read."""


def _checked(name: str, values: pa.Array[Any], stored: pa.Array[Any], why: str) -> Cells:
    """Return the values; a stored cell that has become null is bad."""
    bad: NDArray[np.bool_] = compute.and_(values.is_null(), stored.is_valid()).to_numpy(zero_copy_only=False)
    faults = Faults(name)
    if bad.any():
        faults.add("type", why, bad, _examples(stored, bad))
    return Cells(values, faults.by_cause)


def _examples(stored: pa.Array[Any], mask: NDArray[np.bool_]) -> list[str]:
    return [str(each) for each in stored.filter(pa.array(mask)).slice(0, EXAMPLES_SHOWN).cast(pa.string()).to_pylist()]


def _to_microseconds(name: str, stored: pa.Array[Any]) -> tuple[pa.Array[Any], Odd]:
    """Cut nanoseconds to whole microseconds; other units stay as they are."""
    if not (pa.types.is_timestamp(stored.type) and stored.type.unit == "ns"):
        return stored, {}
    nanoseconds = stored.cast(pa.int64()).fill_null(0).to_numpy()
    whole = nanoseconds // 1000
    nulls: NDArray[np.bool_] = stored.is_null().to_numpy(zero_copy_only=False)
    micros: pa.Array[Any] = pa.array(whole, mask=nulls).cast(pa.timestamp("us", stored.type.tz))
    return micros, cut(name, nanoseconds != whole * 1000, stored)


def _cast_losslessly(stored: pa.Array[Any], kind: pa.DataType) -> pa.Array[Any]:
    """Cast the column; when some cells do not fit, cell by cell, with null for those."""
    try:
        return stored.cast(kind)
    except pa.ArrowInvalid:
        pieces = []
        for row in range(len(stored)):
            try:
                pieces.append(stored.slice(row, 1).cast(kind))
            except pa.ArrowInvalid:
                pieces.append(pa.array([None], kind))
        return pa.concat_arrays(pieces)
