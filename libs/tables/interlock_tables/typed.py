"""Typed rows, as every reader yields them: cells in the declared types, and what is wrong with each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from interlock_tables.findings import Cause, UnreadableError

compute: Any = pyarrow.compute
"""Arrow's vector functions; untyped, because their stubs know too few of the overloads."""

ARROW_TYPES: dict[str, pa.DataType] = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "category": pa.string(),
    "datetime": pa.timestamp("us", "UTC"),
}
"""How each declared type is held in memory and stored."""

ROWS_AT_ONCE = 65_536
MAX_RECORD_BYTES = 1 << 20
"""A line of JSON or a CSV record, line ends inside quotes included."""

MAX_COLUMNS = 10_000
"""Columns of one file, declared or not."""

UNPACKED_BYTES, UNPACKED_TIMES = 8 << 30, 100
"""A file may unpack to so many bytes, and to so many times its size beyond: what is far more is made to fill a disk."""


def most_unpacked(path: Path) -> int:
    """Return how many bytes the file may unpack to."""
    return UNPACKED_BYTES + UNPACKED_TIMES * path.stat().st_size


def too_much_unpacked(most: int) -> UnreadableError:
    """Return the refusal of a file that unpacks to more."""
    why = f"the file unpacks to more than {most >> 30} GiB, which is out of all proportion to its size"
    return UnreadableError("unpacked_size", why)


def too_many_columns(count: int) -> UnreadableError:
    """Return the refusal of a file with more than MAX_COLUMNS columns."""
    return UnreadableError("too_many_columns", f"the file has {count} columns; at most {MAX_COLUMNS} are read")


@dataclass(frozen=True)
class Cells:
    """One column of some rows, typed; ``faults`` says by cause which cells are bad (these are null in ``values``)."""

    values: pa.Array[Any]
    faults: Mapping[Cause, tuple[NDArray[np.bool_], Sequence[str]]]
    """By cause the mask of bad cells, and what the first of them look like."""
    odd: Mapping[Cause, tuple[NDArray[np.bool_], Sequence[str]]] = field(default_factory=dict)
    """The same of cells that are good, but lost something on the way."""


@dataclass(frozen=True)
class TypedRows:
    """Some rows: the declared columns that the file has, and the line (or row) each stands on, from 1."""

    lines: NDArray[np.int64]
    cells: dict[str, Cells]
