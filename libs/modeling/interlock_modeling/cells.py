"""Columns as NumPy arrays, the one form in which both JSON rows and tables reach the encoder.

``number``, ``integer`` and ``boolean`` become float64 with NaN for missing, ``datetime`` becomes datetime64[us] (UTC)
with NaT for missing, ``category`` an integer code that the caller's lookup gives to each text and to ``None``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

ArrowColumn = Any
"""A ``pyarrow.Array``, for which the stubs have no usable type."""

UNSEEN = -1
"""Code of a category that the lookup does not know."""

_NOT_A_TIME = np.iinfo(np.int64).min
_DAY = np.int64(86_400_000_000)


def numbers_of_cells(cells: Sequence[float | None]) -> NDArray[np.float64]:
    """Return checked JSON cells as float64."""
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)


def datetimes_of_cells(cells: Sequence[int | None]) -> NDArray[np.datetime64]:
    """Return checked datetimes, in microseconds since 1970 UTC, as datetime64[us]."""
    micros = np.array([_NOT_A_TIME if cell is None else cell for cell in cells], dtype=np.int64)
    return micros.view("datetime64[us]")


def codes_of_cells(cells: Sequence[str | None], lookup: Mapping[str | None, int]) -> NDArray[np.int64]:
    """Return the code of each checked JSON cell."""
    return np.array([lookup.get(cell, UNSEEN) for cell in cells], dtype=np.int64)


def numbers_of_column(column: ArrowColumn) -> NDArray[np.float64]:
    """Return a numeric or boolean Arrow column as float64; NaN counts as missing."""
    filled = pc.fill_null(column.cast(pa.uint8()) if pa.types.is_boolean(column.type) else column, 0)
    present = np.asarray(filled).astype(np.float64)
    return np.where(np.asarray(column.is_null()), np.nan, present) if column.null_count else present


def datetimes_of_column(column: ArrowColumn) -> NDArray[np.datetime64]:
    """Return an Arrow timestamp column as datetime64[us] in UTC; timestamps without a zone count as UTC."""
    micros = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
    moments = np.asarray(pc.fill_null(micros, 0)).astype("datetime64[us]")
    return np.where(np.asarray(column.is_null()), np.datetime64("NaT", "us"), moments)


def codes_of_column(column: ArrowColumn, lookup: Mapping[str | None, int]) -> NDArray[np.int64]:
    """Return the code of each cell of an Arrow text column; each distinct text is looked up once."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    known = [lookup.get(value, UNSEEN) for value in encoded.dictionary.to_pylist()]
    codes = np.asarray([*known, lookup.get(None, UNSEEN)], dtype=np.int64)
    coded: NDArray[np.int64] = codes[np.asarray(pc.fill_null(encoded.indices.cast(pa.int64()), len(known)))]
    return coded


def datetime_numbers(moments: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Return for each moment [n, 4]: days since 1970 with fraction, month 1-12, weekday 0-6 (Monday 0), hour 0-24.

    All in UTC; a missing moment (NaT) gives four NaN.
    """
    missing = np.isnat(moments)
    micros = np.where(missing, np.int64(0), moments.astype(np.int64))
    days, in_day = np.divmod(micros, _DAY)
    months = micros.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    numbers = np.column_stack((micros / _DAY, months, (days + 3) % 7, in_day / 3.6e9)).astype(np.float64)
    numbers[missing] = np.nan
    return numbers


Cells = Mapping[str, Sequence[Any]]
"""Checked JSON rows by column: a cell is a number, bool, text, a datetime as microseconds since 1970, or ``None``."""
