"""The weakest segments: rows by one or two columns, found among all, that surely cost more than the others.

A search over slices as SliceLine does it (Sagadeeva and Boehm 2021, SliceLine: Fast, Linear-Algebra-based Slice
Finding for ML Model Debugging), with pairs at most; the bound is corrected for the number of segments looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
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
    told: list[Segment] = []
    while len(told) < TOLD and (weakest := _weakest(loss, cuts, confidence)) is not None:
        told.append(weakest)
        inside = [cuts[name].rows(cuts[name].labels.index(value)) for name, value in weakest.values]
        left = ~np.logical_and.reduce(inside)
        loss = loss[left]
        cuts = {name: Slicing(cut.labels, cut.of[left]) for name, cut in cuts.items()}
    return told


def _weakest(loss: Floats, cuts: dict[str, Slicing], confidence: float) -> Segment | None:
    """Return the segment whose mean surely lies the farthest above that of all rows; None if none does."""
    groups = [*((name,) for name in cuts), *combinations(cuts, 2)]
    looked = [each for names in groups for each in _segments(loss, [(name, cuts[name]) for name in names])]
    if not looked:
        return None
    quantile = NormalDist().inv_cdf(1 - (1 - confidence) / len(looked))
    weakest = max(looked, key=lambda each: each.mean - quantile * each.error)
    return weakest if weakest.mean - quantile * weakest.error > loss.mean() else None


def _segments(loss: Floats, cuts: list[tuple[str, Slicing]]) -> Iterator[Segment]:
    """Yield the segments with rows enough by all of these columns together."""
    code, size = np.zeros(len(loss), dtype=np.int64), 1
    for _, cut in cuts:
        code, size = code * len(cut.labels) + cut.of, size * len(cut.labels)
    counts, sums, squares = (np.bincount(code, weights, size) for weights in (None, loss, loss**2))
    for place in np.flatnonzero(counts >= LEAST_ROWS).tolist():
        rows, rest, values = int(counts[place]), place, []
        for name, cut in reversed(cuts):
            rest, label = divmod(rest, len(cut.labels))
            values.append((name, cut.labels[label]))
        mean = float(sums[place] / rows)
        variance = max(0.0, float(squares[place] / rows) - mean**2) * rows / (rows - 1)
        yield Segment(frozenset(values), rows, mean, (variance / rows) ** 0.5)


def _losses(measured: Measured) -> Floats:
    """Return each row's loss [n]; of a label that the model does not know, the greatest."""
    if measured.signature.labels is None:
        return np.abs(measured.scores - measured.target)
    truth = np.maximum(measured.target, 0)
    return np.where(measured.target >= 0, 1.0 - measured.scores[np.arange(len(truth)), truth], 1.0)
