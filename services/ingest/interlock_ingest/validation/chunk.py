"""Rows that can be used: all their cells are good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_tables.findings import LINES_SHOWN, Findings
from interlock_tables.typed import TypedRows
from numpy.typing import NDArray


@dataclass(frozen=True)
class Chunk:
    """Some rows: the declared columns that the file has, typed, and the line (or row) each stands on, from 1."""

    lines: NDArray[np.int64]
    columns: dict[str, pa.Array[Any]]

    def where(self, mask: NDArray[np.bool_]) -> Chunk:
        if mask.all():
            return self
        keep = pa.array(mask)
        return Chunk(self.lines[mask], {name: column.filter(keep) for name, column in self.columns.items()})


def without_bad_cells(rows: TypedRows, findings: Findings) -> Chunk:
    """Return the rows whose cells are all good; set the others aside, each cause with its lines."""
    bad = np.zeros(len(rows.lines), dtype=np.bool_)
    for column in rows.cells.values():
        for cause, (mask, examples) in column.faults.items():
            findings.set_aside(cause, int(mask.sum()), rows.lines[mask].tolist(), examples)
            bad |= mask
        for cause, (mask, examples) in column.odd.items():
            findings.odd[cause].add(int(mask.sum()), rows.lines[mask][:LINES_SHOWN].tolist(), examples)
    findings.rows += len(rows.lines)
    findings.bad_rows += int(bad.sum())
    return Chunk(rows.lines, {name: column.values for name, column in rows.cells.items()}).where(~bad)
