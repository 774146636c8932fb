"""The weakest segments: rows by one or two columns, found among all, that surely cost more than the others.

A search over slices as SliceLine does it (Sagadeeva and Boehm 2021, SliceLine: Fast, Linear-Algebra-based Slice
Finding for ML Model Debugging), with pairs at most; the bound is corrected for the number of segments looked at.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, combinations
from math import prod
from statistics import NormalDist

import numpy as np
import pyarrow as pa
from interlock_contracts.pipeline import Pipeline
from numpy.typing import NDArray

from interlock_evaluation_gate.measured import Measured
from interlock_evaluation_gate.slicing import Slicing, by_column

MOST_COLUMNS = 30
"""Columns that are looked at, the first ones declared: 465 of them and pairs."""

MOST_ROWS = 100_000
"""Rows that are looked at, drawn by the training's seed where there are more."""

LEAST_ROWS = 50
"""Of a segment; fewer are mostly chance."""

TOLD = 3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Segment:
    """Rows by the values of one or two columns, with the mean of their losses and its standard error."""

    values: frozenset[tuple[str, str]]
    rows: int
    mean: float
    error: float

    def __str__(self) -> str:
        """Return it in words: "hour 7 to 9 and workday True"."""
        return " and ".join(f"{column} {value}" for column, value in sorted(self.values))


def weakest_segments(
    pipeline: Pipeline, candidate: Measured, champion: Measured | None, holdout: pa.Table
) -> Iterator[str]:
    """Yield a sentence for each of the candidate's weakest segments, and for those in which the champion is better.

    The loss of a row is the absolute error of a regression, in the target's unit, and of a classification one minus
    the probability of the true label.
    """
    rows = np.arange(holdout.num_rows)
    if len(rows) > MOST_ROWS:
        drawn = np.random.default_rng(pipeline.training.seed).choice(len(rows), MOST_ROWS, replace=False)
        rows = np.sort(drawn)
    names = [name for name in pipeline.data.columns if name != pipeline.target and name in holdout.column_names]
    cuts = {name: by_column(holdout.column(name).take(rows)) for name in names[:MOST_COLUMNS]}
    loss = _losses(candidate)[rows]
    what = "mean absolute error" if candidate.signature.labels is None else "mean probability of a wrong label"
    for each in find_segments(loss, cuts, pipeline.champion.confidence):
        yield (
            f"weakest segment found: {each} ({each.rows:,} rows) with a {what} of {each.mean:.6g}, "
            f"{loss.mean():.6g} on all rows"
        )
    if champion is not None:
        lost = loss - _losses(champion)[rows]
        for each in find_segments(lost, cuts, pipeline.champion.confidence):
            if each.mean > 0:
                yield f"the champion is better in {each} ({each.rows:,} rows): its {what} is {each.mean:.6g} less"


def find_segments(loss: Floats, cuts: dict[str, Slicing], confidence: float) -> list[Segment]:
    """Return the segments whose mean ``loss`` [n] surely lies above that of all rows, the surest excess first.

    By the normal approximation, with the level divided among all segments that have rows enough (Bonferroni). Each is
    looked for without the rows of those before it, so that none is told for the rows that it shares with another.
    """
    if not len(loss):
        return []
    search = _Search(loss, cuts)
    told: list[Segment] = []
    left = np.arange(len(loss))
    sums = search.sums(left)
    while len(told) < TOLD and (place := _weakest(sums, confidence, float(search.loss[left].mean()))) is not None:
        rows, mean, error = (float(each[0]) for each in _means(sums[:, [place]]))
        inside = search.inside(place, left)
        told.append(Segment(search.values(place), int(rows), mean + search.middle, error))
        sums -= search.sums(left[inside])
        left = left[~inside]
    return told


class _Search:
    """All segments by one column or two, one after the other: each has a place, whose sums follow from its rows."""

    def __init__(self, loss: Floats, cuts: dict[str, Slicing]) -> None:
        self.middle = float(loss.mean())
        self.loss = loss - self.middle
        """About 0, so that a variance is not lost in the rounding of squares."""
        self._cuts = cuts
        self._groups = [*((name,) for name in cuts), *combinations(cuts, 2)]
        sizes = [prod(len(cuts[name].labels) for name in names) for names in self._groups]
        self._starts = [0, *accumulate(sizes)]

    def sums(self, rows: NDArray[np.int64]) -> Floats:
        """Return each segment's number of rows, and sums of their losses and of the squares, shape (3, places)."""
        loss = self.loss[rows]
        weights, found = (None, loss, loss**2), np.empty((3, self._starts[-1]))
        of = {name: cut.of[rows] for name, cut in self._cuts.items()}
        for names, first, end in zip(self._groups, self._starts, self._starts[1:], strict=False):
            code = self._code(names, of)
            for line, weight in zip(found, weights, strict=True):
                line[first:end] = np.bincount(code, weight, end - first)
        return found

    def inside(self, place: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the rows lie in the segment at this place."""
        group = bisect_right(self._starts, place) - 1
        names = self._groups[group]
        found: NDArray[np.bool_] = (
            self._code(names, {name: self._cuts[name].of[rows] for name in names}) == place - self._starts[group]
        )
        return found

    def values(self, place: int) -> frozenset[tuple[str, str]]:
        """Return the columns and values of the segment at this place."""
        group = bisect_right(self._starts, place) - 1
        rest, values = place - self._starts[group], []
        for name in reversed(self._groups[group]):
            rest, label = divmod(rest, len(self._cuts[name].labels))
            values.append((name, self._cuts[name].labels[label]))
        return frozenset(values)

    def _code(self, names: tuple[str, ...], of: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        code = of[names[0]]
        for name in names[1:]:
            code = code * len(self._cuts[name].labels) + of[name]
        return code


def _weakest(sums: Floats, confidence: float, mean: float) -> int | None:
    """Return the place of the segment whose mean surely lies the farthest above ``mean``; None if none does."""
    looked = np.flatnonzero(sums[0] >= LEAST_ROWS)
    if not len(looked):
        return None
    quantile = NormalDist().inv_cdf(1 - (1 - confidence) / len(looked))
    _, means, errors = _means(sums[:, looked])
    surely = means - quantile * errors
    best = int(surely.argmax())
    return int(looked[best]) if surely[best] > mean else None


def _means(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the rows, the mean and its standard error of each segment, from its ``sums``."""
    rows, total, squares = sums
    means = total / rows
    variance = np.maximum(0.0, squares / rows - means**2) * rows / (rows - 1)
    return rows, means, np.sqrt(variance / rows)


def _losses(measured: Measured) -> Floats:
    """Return each row's loss [n]; of a label that the model does not know, the greatest."""
    if measured.signature.labels is None:
        errors: Floats = np.abs(measured.scores - measured.target)
        return errors
    truth = np.maximum(measured.target, 0)
    return np.where(measured.target >= 0, 1.0 - measured.scores[np.arange(len(truth)), truth], 1.0)
