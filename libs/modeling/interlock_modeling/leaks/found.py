"""A leak that was found, and the columns as the searches read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.pipeline import Pipeline
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Leak:
    """What was found, by its rule: of which column, of how many rows, and in words what to do."""

    rule: str
    column: str | None
    count: int
    message: str


@dataclass(frozen=True)
class Cells:
    """A column of the sample: ``values`` are finite numbers in order, or codes of categories; NaN where there is none.

    ``groups`` numbers equal values from 0 (a missing cell is a value, the last), ``sizes`` counts them.
    """

    name: str
    values: Numbers
    ordered: bool
    groups: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @property
    def present(self) -> Mask:
        return ~np.isnan(self.values)

    @property
    def distinct(self) -> int:
        """Return the number of distinct values, a missing one not counted."""
        return len(self.sizes) - bool(np.isnan(self.values).any())

    @property
    def whole(self) -> bool:
        """Return whether it is ordered, and all its numbers are whole."""
        here = self.values[self.present]
        return self.ordered and len(here) > 0 and bool((here == np.floor(here)).all())

    def known(self) -> Cells:
        """Return, in place of the values, whether there is one."""
        return _cells(self.name, self.present.astype(np.float64), ordered=self.ordered)

    def where(self, mask: Mask) -> Cells:
        """Return the cells of some rows."""
        return _cells(self.name, self.values[mask], ordered=self.ordered)


def cells_of(rows: pa.Table, pipeline: Pipeline) -> dict[str, Cells]:
    """Return the declared columns that the rows have, by name; text, and labels whatever their type, have codes."""
    labels = pipeline.target if pipeline.task == "classification" else None
    found = {}
    for name in [each for each in pipeline.data.columns if each in rows.column_names]:
        column = pipeline.data.columns[name]
        values = rows[name].combine_chunks()
        ordered = column.type != "category" and name != labels
        found[name] = _cells(name, _numbers(values) if ordered else _codes(values), ordered=ordered)
    return found


def _cells(name: str, values: Numbers, *, ordered: bool) -> Cells:
    _, groups, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return Cells(name, values, ordered, groups.reshape(-1), sizes)


def _numbers(values: pa.Array[Any]) -> Numbers:
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    numbers: Numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _codes(values: pa.Array[Any]) -> Numbers:
    encoded: Any = values.dictionary_encode()
    codes: Numbers = encoded.indices.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return codes
