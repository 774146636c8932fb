"""Choice of a threshold by a metric, on the probabilities that each training row had while it was held back."""

from dataclasses import replace
from typing import Any

import numpy as np
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.threshold import ThresholdByMetric, ThresholdMetric
from numpy.typing import NDArray

from interlock_trainer.errors import DataError
from interlock_trainer.folds import Folds
from interlock_trainer.pools import FitPool
from interlock_trainer.selection import Scored, request_for

Floats = NDArray[np.float64]

EQUAL = 1e-12
"""Values of a metric that differ by less are equal: it is rounding."""


def chosen_threshold(pipeline: Pipeline, pool: FitPool, folds: Folds, winner: Scored) -> float | None:
    """Return the winner's threshold: the declared number, or the one that the declared metric chooses.

    To choose it, the winner is fitted on every fold once more.

    Raises:
        DataError: the winner can't be fitted on a fold again.
    """
    declared = pipeline.training.threshold
    if not isinstance(declared, ThresholdByMetric):
        return declared
    positive = _out_of_fold(pipeline, pool, folds, winner)
    scored = ~np.isnan(positive)  # by time, the oldest rows are never held back
    return best_threshold(positive[scored], folds.targets[scored] == 1, declared.metric)


def _out_of_fold(pipeline: Pipeline, pool: FitPool, folds: Folds, winner: Scored) -> Floats:
    """Return the positive label's probability [n] of every row, by the fit that had not seen it; NaN without such."""
    each = [request_for(pipeline, winner.candidate, winner.params, fold) for fold in range(len(folds.folds))]
    expected = winner.fit_seconds / len(winner.scores)
    positive = np.full(len(folds.targets), np.nan)
    for fold, result in pool.run([replace(request, keep_scores=True) for request in each], expected):
        if result.scores is None:
            raise DataError(f"the winner could not be fitted again to choose its threshold: {result.error}")
        positive[folds.folds[fold].score] = result.scores[:, 1]
    return positive


def best_threshold(positive: Floats, truth: NDArray[np.bool_], metric: ThresholdMetric) -> float:
    """Return the threshold at which ``metric`` is greatest, of equal ones the nearest to one half, then the lower.

    ``positive`` [n] are probabilities, ``truth`` [n] is whether a row has the positive label. Thresholds lie halfway
    between neighbouring probabilities, or between those at the ends and 0 or 1; so every division of the rows that a
    threshold can make is tried, and none hangs on the last digit of a probability.
    """
    thresholds = _halfway(np.unique(positive))
    order = np.argsort(positive, kind="stable")
    below = np.searchsorted(positive[order], thresholds, side="left")
    positives_below = np.concatenate(([0], np.cumsum(truth[order])))[below]
    hits = truth.sum() - positives_below
    values = metric_of(metric, hits, len(truth) - below, int(truth.sum()), len(truth))
    equal = thresholds[values >= values.max() - EQUAL]
    return float(equal[np.abs(equal - 0.5).argmin()])


def _halfway(levels: Floats) -> Floats:
    """Return the numbers within (0, 1) halfway between neighbours among 0, the levels and 1, each above the lower."""
    ends = np.concatenate(([0.0], levels, [1.0]))
    lower, upper = ends[:-1], ends[1:]
    middle = lower + (upper - lower) / 2
    middle = np.where(middle > lower, middle, upper)  # there is no number between them
    return np.unique(middle[(middle > 0.0) & (middle < 1.0)])


def metric_of(metric: ThresholdMetric, hits: Any, predicted: Any, positives: int, rows: int) -> Floats:
    """Return a metric of the labels predicted, as ``interlock_modeling.METRICS`` has it, from counts of rows.

    ``hits`` of the ``predicted`` rows have the positive label, which ``positives`` of all ``rows`` have. ``f1`` is
    2 hits / (positives + predicted).
    """
    negatives = rows - positives
    rejected = rows - predicted
    right = negatives - (predicted - hits)
    f1 = 2.0 * hits / (positives + predicted)
    match metric:
        case "f1":
            found = f1
        case "f1_weighted":
            found = (positives * f1 + negatives * (2.0 * right / (negatives + rejected))) / rows
        case "balanced_accuracy":
            found = (hits / positives + right / negatives) / 2
        case "accuracy":
            found = (hits + right) / rows
    return np.asarray(found, dtype=np.float64)
