"""Profile of a file's columns: distributions, gathered chunk by chunk in flat memory.

Counts, extremes, means and standard deviations are exact. Distinct values and their counts are exact up to a cap.
Quantiles, histograms and the cumulative distribution come from the rows with the smallest hashes: a uniform sample that
depends on nothing else. However many values or columns a file has, what is described stays within bounds.
"""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.data import Column
from interlock_tables.findings import EXAMPLE_LENGTH, shorten
from interlock_tables.typed import compute
from numpy.typing import NDArray

from interlock_ingest.validation.chunk import Chunk

SAMPLE_ROWS = 10_000
DISTINCT_CAP = 10_000
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 20
_HALVES_END = 2.0**51
"""Doubles from here on, or their sums with a bin's width, may lack the half between two whole numbers."""

TOP = 100
POINTS = 100
_MAX_SHOWN = 50_000
"""Values, or points of a distribution, at most, over all columns; but never fewer than 20 of a column."""

_ROOM = 200_000
"""Values held at once over all columns; keeps wide tables flat too."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NumberProfile:
    """Moments, extremes and distinct values of a number, integer or datetime column."""

    def __init__(self, cap: int, points: int) -> None:
        self.cap = cap
        self._points = points
        self._count = 0
        self._mean = 0.0
        self._squares = 0.0
        self._seen: NDArray[Any] | None = None
        self.min: Any = None
        self.max: Any = None
        self.distinct = 0

    def add(self, values: pa.Array[Any]) -> None:
        """Take in the values; nulls do not count."""
        values = values.drop_null()
        if not len(values):
            return
        extremes = compute.min_max(values)
        low, high = extremes["min"].as_py(), extremes["max"].as_py()
        self.min = low if self.min is None else min(self.min, low)
        self.max = high if self.max is None else max(self.max, high)
        if self.distinct <= self.cap:
            fresh = values.unique().to_numpy(zero_copy_only=False)
            self._seen = fresh if self._seen is None else np.union1d(self._seen, fresh)
            self._seen = self._seen[: self.cap + 1]
            self.distinct = len(self._seen)
        if not pa.types.is_timestamp(values.type):
            self._add_moments(values.to_numpy(zero_copy_only=False).astype(np.float64))

    def _add_moments(self, numbers: NDArray[np.float64]) -> None:
        """Merge count, mean and sum of squares as Chan, Golub and LeVeque do."""
        count, mean = len(numbers), float(numbers.mean())
        total, shift = self._count + count, mean - self._mean
        self._squares += float(((numbers - mean) ** 2).sum()) + shift * shift * self._count * count / total
        self._mean += shift * count / total
        self._count = total

    def describe(self, sample: NDArray[np.float64]) -> dict[str, Any]:
        """Return the numbers as JSON values; what overflowed is null, and times are ISO 8601."""
        if self.min is None:
            return {}
        sample = sample[~np.isnan(sample)]
        if isinstance(self.min, datetime):
            counts, edges = _histogram(sample, _microseconds(self.min), _microseconds(self.max))
            times = [self.min, *map(_moment, edges[1:-1].tolist()), self.max]
            histogram = {"edges": [time.isoformat() for time in times], "counts": counts.tolist()}
            return {"min": self.min.isoformat(), "max": self.max.isoformat(), "histogram": histogram}
        described: dict[str, Any] = {
            "min": self.min,
            "max": self.max,
            "mean": _finite(self._mean),
            "std": _finite(math.sqrt(max(self._squares, 0.0) / self._count)),
        }
        low, high = float(self.min), float(self.max)
        if len(sample) and math.isfinite(high - low):
            counts, edges = _histogram(sample, low, high, whole=isinstance(self.min, int))
            described["quantiles"] = dict(
                zip(map(str, QUANTILES), np.quantile(sample, QUANTILES).tolist(), strict=True)
            )
            described["histogram"] = {"edges": edges.tolist(), "counts": counts.tolist()}
            described["cumulative"] = _cumulative(sample, self._points)
        return described


class ValueProfile:
    """How often each value of a category or boolean column occurs."""

    def __init__(self, cap: int, shown: int) -> None:
        self.cap = cap
        self._shown = shown
        self._counts: dict[str, int] = {}
        self._others = 0
        self.distinct = 0

    def add(self, values: pa.Array[Any]) -> None:
        """Take in the values; nulls do not count."""
        counted = compute.value_counts(values.drop_null())
        for value, count in zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True):
            key = _key(str(value).lower() if isinstance(value, bool) else value)
            if key in self._counts:
                self._counts[key] += count
            elif len(self._counts) < self.cap:
                self._counts[key] = count
            else:
                self._others += count
        self.distinct = len(self._counts) + (self._others > 0)

    def describe(self) -> dict[str, Any]:
        """Return the most frequent values; ``other`` counts all the rest."""
        top = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))[: self._shown]
        rest = sum(self._counts.values()) - sum(count for _, count in top) + self._others
        return {"top": [{"value": shorten(key), "count": count} for key, count in top], "other": rest}


class Profile:
    """The profiles of all columns and the sample that they share."""

    def __init__(self, columns: dict[str, Column]) -> None:
        cap = max(100, min(DISTINCT_CAP, _ROOM // max(1, len(columns))))
        shown = max(20, _MAX_SHOWN // max(1, len(columns)))
        self._types = {name: column.type for name, column in columns.items()}
        self._nulls = dict.fromkeys(columns, 0)
        self._rows = 0
        self._numbers = {
            name: NumberProfile(cap, min(POINTS, shown)) for name, kind in self._types.items() if _ordered(kind)
        }
        self._values = {
            name: ValueProfile(max(cap, (column.max_cardinality or 0) + 1), min(TOP, shown))
            for name, column in columns.items()
            if not _ordered(column.type)
        }
        self._sampled = list(self._numbers)
        self._sample_rows = max(100, min(SAMPLE_ROWS, 20 * _ROOM // max(1, len(self._sampled))))
        self._sample_hashes = np.empty(0, dtype=np.uint64)
        self._sample = np.empty((0, len(self._sampled)), dtype=np.float64)

    def add(self, chunk: Chunk, hashes: NDArray[np.uint64]) -> None:
        self._rows += len(chunk.lines)
        with np.errstate(all="ignore"):
            for name, values in chunk.columns.items():
                self._nulls[name] += values.null_count
                self._column(name).add(values)
        self._add_to_sample(chunk, hashes)

    def distinct(self) -> dict[str, int]:
        """Return the number of distinct values of each column; one more than the cap means "more than the cap"."""
        return {name: self._column(name).distinct for name in self._types}

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return each column's profile as JSON values, in declared order."""
        return {name: self._describe(name) for name in self._types}

    def _column(self, name: str) -> NumberProfile | ValueProfile:
        return self._numbers.get(name) or self._values[name]

    def _describe(self, name: str) -> dict[str, Any]:
        numbers, nulls, profile = self._numbers.get(name), self._nulls[name], self._column(name)
        described = {
            "type": self._types[name],
            "nulls": nulls,
            "null_fraction": nulls / self._rows if self._rows else 0.0,
            "distinct": min(profile.distinct, profile.cap),
            "distinct_is": "at_least" if profile.distinct > profile.cap else "exact",
        }
        if numbers is None:
            return described | self._values[name].describe()
        return described | numbers.describe(self._sample[:, self._sampled.index(name)])

    def _add_to_sample(self, chunk: Chunk, hashes: NDArray[np.uint64]) -> None:
        if len(self._sample_hashes) == self._sample_rows:
            small = hashes < self._sample_hashes.max()
        else:
            small = np.ones(len(hashes), dtype=np.bool_)
        if not small.any():
            return
        fresh = np.full((int(small.sum()), len(self._sampled)), np.nan)
        keep = pa.array(small)
        for position, name in enumerate(self._sampled):
            if name in chunk.columns:
                values = chunk.columns[name].filter(keep)
                if pa.types.is_timestamp(values.type):
                    values = values.cast(pa.int64())
                numbers = values.cast(pa.float64(), safe=False)
                fresh[:, position] = numbers.fill_null(math.nan).to_numpy(zero_copy_only=False)
        merged = np.concatenate((self._sample_hashes, hashes[small]))
        order = np.argsort(merged, kind="stable")[: self._sample_rows]
        self._sample_hashes = merged[order]
        self._sample = np.concatenate((self._sample, fresh))[order]


def _ordered(kind: str) -> bool:
    return kind in ("number", "integer", "datetime")


def _key(text: str) -> str:
    """Return the text, or for a long one its beginning with a digest, so that memory stays flat."""
    if len(text) <= EXAMPLE_LENGTH:
        return text
    return f"{text[:40]}… {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _histogram(
    sample: NDArray[np.float64], low: float, high: float, *, whole: bool = False
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return counts and edges of equal bins; of a single one where doubles lie too far apart for more.

    Bins of ``whole`` numbers have equally many of them, and edges half-way between two.
    """
    edges = np.linspace(low, high, BINS + 1)
    if whole and max(abs(low), abs(high)) < _HALVES_END:
        values = high - low + 1
        width = math.ceil(values / BINS)
        edges = low - 0.5 + width * np.arange(math.ceil(values / width) + 1, dtype=np.float64)
    if not (np.diff(edges) > 0).all():
        edges = np.array([low, high], dtype=np.float64)
    return np.histogram(sample, bins=edges)


def _cumulative(sample: NDArray[np.float64], points: int) -> dict[str, Any]:
    """Return how many of the sample's ``rows`` are at most each of the ``values``, and how many below it.

    With no more than ``points`` distinct values it is the whole distribution, else its quantiles in equal steps.
    """
    values, counts = np.unique(sample, return_counts=True)
    at_most = np.cumsum(counts)
    below = at_most - counts
    if len(values) > points:
        ranks = np.linspace(1, len(sample), points)
        kept = np.unique(np.searchsorted(at_most, ranks))
        values, at_most, below = values[kept], at_most[kept], below[kept]
    return {"rows": len(sample), "values": values.tolist(), "at_most": at_most.tolist(), "below": below.tolist()}


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: float) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
