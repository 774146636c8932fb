"""What every reader yields, and what it raises when a file cannot be read on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from interlock_contracts.datasets import Finding
from numpy.typing import NDArray

from interlock_ingest.domain import Cause, Findings, shorten

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
MAX_ROWS = 200_000_000
MAX_CELL_BYTES = 65_536
MAX_RECORD_BYTES = 1 << 20
"""A line of JSON or a CSV record, line ends inside quotes included."""


@dataclass(frozen=True)
class Chunk:
    """Some rows: the declared columns that the file has, typed, and the line (or row) each stands on, from 1."""

    lines: NDArray[np.int64]
    columns: dict[str, pa.Array[Any]]

    def where(self, mask: NDArray[np.bool_]) -> Chunk:
        """Return the rows of the mask."""
        if mask.all():
            return self
        keep = pa.array(mask)
        return Chunk(self.lines[mask], {name: column.filter(keep) for name, column in self.columns.items()})


@dataclass(frozen=True)
class Cells:
    """One column of some rows, typed; ``faults`` says by cause which cells are bad (these are null in ``values``)."""

    values: pa.Array[Any]
    faults: Mapping[Cause, tuple[NDArray[np.bool_], Sequence[str]]]
    """By cause the mask of bad cells, and what the first of them look like."""


class UnreadableError(Exception):
    """The file cannot be read, or not any further; ``finding`` says why and where."""

    def __init__(self, rule: str, message: str, *, line: int | None = None, examples: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.finding = Finding(
            rule=rule,
            lines=[] if line is None else [line],
            examples=[shorten(example) for example in examples],
            message=message,
        )


def without_bad_cells(lines: NDArray[np.int64], cells: dict[str, Cells], findings: Findings) -> Chunk:
    """Return the rows whose cells are all good; set the others aside, each cause with its lines."""
    bad = np.zeros(len(lines), dtype=np.bool_)
    for column in cells.values():
        for cause, (mask, examples) in column.faults.items():
            findings.set_aside(cause, int(mask.sum()), lines[mask].tolist(), examples)
            bad |= mask
    findings.rows += len(lines)
    findings.bad_rows += int(bad.sum())
    return Chunk(lines, {name: column.values for name, column in cells.items()}).where(~bad)
