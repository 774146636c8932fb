"""Which rows lie in which slice: by the values of a column, by bins of its numbers, or by pairs of either."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from interlock_contracts.slices import DEFAULT_BINS, Slice
from numpy.typing import NDArray

MOST_SLICES = 30
"""Slices of one column or pair; the rows of rarer values are in one slice together."""


@dataclass(frozen=True)
class Slicing:
    """The slices in the order in which they are told; row ``i`` lies in slice ``of[i]`` of ``labels``."""

    labels: list[str]
    of: NDArray[np.int64]

    def rows(self) -> list[NDArray[np.int64]]:
        """Return the places of the rows that lie in each slice, ascending."""
        order = np.argsort(self.of, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.of, minlength=len(self.labels)))[:-1])


def slicing(holdout: pa.Table, declared: Slice) -> Slicing:
    """Return the slices of the rows: bins in ascending order, values the most frequent first, rarer ones pooled."""
    found = [by_column(holdout.column(name), declared.bins) for name in declared.column]
    if len(found) == 1:
        return found[0]
    first, second = found
    pairs, of = np.unique(first.of * len(second.labels) + second.of, return_inverse=True)
    names = [divmod(int(pair), len(second.labels)) for pair in pairs]
    return _pooled([f"{first.labels[one]}, {second.labels[other]}" for one, other in names], of.astype(np.int64))


def by_column(column: Any, bins: int | list[float] | None = None) -> Slicing:
    """Return the slices by one column's values, or of numbers by ``bins`` where given, or where they are too many."""
    numeric = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
    if numeric and (bins is not None or pc.count_distinct(column, mode="all").as_py() > MOST_SLICES):
        return _binned(column, DEFAULT_BINS if bins is None else bins)
    if pa.types.is_timestamp(column.type):
        column = pc.strftime(column, format="%Y-%m")
    encoded: Any = pa.chunked_array([column]) if isinstance(column, pa.Array) else column
    encoded = encoded.combine_chunks().dictionary_encode(null_encoding="encode")
    return _pooled(
        [str(value) for value in encoded.dictionary.to_pylist()], encoded.indices.to_numpy().astype(np.int64)
    )


def _binned(column: Any, bins: int | list[float]) -> Slicing:
    """Return the bins that have rows, each named by the least and greatest number in it; null is one of its own."""
    values = np.asarray(column.cast(pa.float64(), safe=False).fill_null(np.nan), dtype=np.float64)
    known = ~np.isnan(values)
    edges = np.asarray([] if isinstance(bins, int) else bins, dtype=np.float64)
    if isinstance(bins, int) and known.any():
        edges = np.unique(np.quantile(values[known], np.arange(1, bins) / bins, method="higher"))
    place = np.where(known, np.searchsorted(edges, values, side="right"), -1)
    filled, of = np.unique(place, return_inverse=True)
    labels = ["None" if each < 0 else _range(values[place == each]) for each in filled.tolist()]
    return Slicing(labels, of.astype(np.int64))


def _range(values: NDArray[np.float64]) -> str:
    low, high = f"{values.min():.6g}", f"{values.max():.6g}"
    return low if low == high else f"{low} to {high}"


def _pooled(labels: list[str], of: NDArray[np.int64]) -> Slicing:
    """Return the slices, the most frequent first, those beyond the most that are told in one together at the end."""
    counts = np.bincount(of, minlength=len(labels))
    order = np.argsort(-counts, kind="stable")
    told = len(order) if len(order) <= MOST_SLICES else MOST_SLICES - 1
    place = np.minimum(np.argsort(order), told)
    names = [labels[each] for each in order[:told].tolist()]
    more = len(order) - told
    return Slicing([*names, f"{more} rarer ones"] if more else names, place[of])
