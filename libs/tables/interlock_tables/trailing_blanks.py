"""What spreadsheets leave around a table: rows of delimiters alone at its end, columns without a label or a cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.datasets import Finding
from numpy.typing import NDArray

from interlock_tables.csv_records import Records
from interlock_tables.findings import LINES_SHOWN, Cause, Findings
from interlock_tables.typed import compute

_EMPTY_ROWS = Cause("blank_line", None, "rows at the end without any cell are skipped")


def without_empty_rows_at_the_end(parts: Iterable[Records], delimiter: str, findings: Findings) -> Iterator[Records]:
    """Yield the records without those at the end of the file that are delimiters alone, and note these.

    Between other rows such a record is a row like any other; so it is held back until one follows.
    """
    held: list[int] = []
    for records in parts:
        filled = np.flatnonzero(~records.empty)
        if not len(filled):
            held += records.lines.tolist()
            records.data, records.lines = b"", records.lines[:0]
        else:
            kept = int(filled[-1]) + 1
            ends = _end_of_record(records.data, len(records.lines) - kept)
            lines = records.lines
            records.data = delimiter.encode() * 0 + _blank(delimiter, records.width) * len(held) + records.data[:ends]
            records.lines = np.concatenate([np.array(held, dtype=np.int64), lines[:kept]])
            held = lines[kept:].tolist()
        yield records
    if held:
        findings.odd[_EMPTY_ROWS].add(len(held), held[:LINES_SHOWN])
