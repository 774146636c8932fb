"""Trailing blanks of spreadsheets: rows at the end of a table and columns at its right without any cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.datasets import Finding
from numpy.typing import NDArray

from interlock_tables.csv_records import Records
from interlock_tables.findings import LINES_SHOWN, Cause, Findings
from interlock_tables.typed import compute

_EMPTY_ROWS = Cause("blank_line", None, "rows without any cell at the end of the file are skipped")


def without_empty_rows_at_the_end(
    parts: Iterable[Records], width: int, delimiter: str, findings: Findings
) -> Iterator[Records]:
    """Yield the records but those at the end of the file that are delimiters alone; these are noted.

    Between other rows such a record is a row like any other, so it is held back until one follows.
    """
    held: list[int] = []
    empty_record = delimiter.encode() * (width - 1) + b"\n"
    for records in parts:
        filled = np.flatnonzero(~records.empty)
        if len(filled):
            kept = int(filled[-1]) + 1
            last = _last_records(records.data, len(records.lines) - kept)
            before, held = held, records.lines[kept:].tolist()
            records.data = empty_record * len(before) + records.data[: len(records.data) - last]
            records.lines = np.concatenate([np.array(before, dtype=np.int64), records.lines[:kept]])
        else:
            held += records.lines.tolist()
            records.data, records.lines = b"", records.lines[:0]
        yield records
    if held:
        findings.odd[_EMPTY_ROWS].add(len(held), held[:LINES_SHOWN])


def _last_records(data: bytes, records: int) -> int:
    """Return how many bytes the last ``records`` take, none of which has a line end inside quotes."""
    end = len(data) - 1
    for _ in range(records):
        end = data.rfind(b"\n", 0, end)
    return len(data) - 1 - end


class Margin:
    """The columns at the right whose labels are blank: ignored as long as none of their cells says anything."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._width = len(labels)
        self.start = 1 + max((place for place, label in enumerate(labels) if label.strip()), default=-1)
        self.places = [str(place) for place in range(self.start, self._width)]
        self._filled: list[int] = []

    def look(self, lines: NDArray[np.int64], columns: Sequence[pa.Array[Any]]) -> None:
        """Look at the cells of some rows."""
        for column in columns:
            says = compute.not_equal(compute.utf8_trim_whitespace(column), "").fill_null(False)
            self._filled += lines[says.to_numpy(zero_copy_only=False)][:LINES_SHOWN].tolist()

    def note(self, findings: Findings) -> None:
        """Note the columns, once all rows are read."""
        if not self.places:
            return
        columns = f"{len(self.places)} columns" if len(self.places) > 1 else "1 column"
        if not self._filled:
            why = f"{columns} at the end without a label or a cell; ignored"
            findings.odd[Cause("blank_label", None, why)].add(len(self.places), [1])
            return
        why = (
            f"column labels are blank (the first is column {self.start + 1} of {self._width}), "
            f"and cells stand below, the first in line {min(self._filled)}"
        )
        findings.header.append(Finding(rule="blank_label", count=len(self.places), lines=[1], message=why))
