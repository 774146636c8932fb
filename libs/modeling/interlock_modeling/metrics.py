"""Metrics of held-out predictions, over all rows or over many weighted resamples at once.

A resample is one row of ``weights`` [resamples, n]: how often each of the n rows counts in it. ``target`` and
``scores`` are what ``ModelSignature.targets`` and ``Predictions.scores`` give: numbers [n] and [n] for a regression,
label indices [n] (-1 for a label that the model does not know) and probabilities [n, k] for a classification.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from interlock_contracts.pipeline import MetricName
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Formula = Callable[[NDArray[Any], Floats, Floats], Floats]

_EPSILON = float(np.finfo(np.float64).eps)
_POSITIVE = 1
"""A binary classification's second label counts as the positive one."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; ``better`` says in which direction, ``zero`` meaning near to zero from either side."""

    name: MetricName
    better: Literal["higher", "lower", "zero"]
    formula: Formula

    def value(self, target: NDArray[Any], scores: Floats) -> float:
        """Return the metric over all rows; NaN where it is undefined: ``roc_auc`` of one class, ``r2`` of one row."""
        return float(self.resampled(target, scores, np.ones((1, len(target))))[0])

    def resampled(self, target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
        """Return the metric [resamples] of each resample in ``weights`` [resamples, n]."""
        return self.formula(target, scores, weights)

    def utility(self, value: Any) -> Any:
        """Return ``value`` (a number or an array) turned so that more is better."""
        if self.better == "higher":
            return value
        return -value if self.better == "lower" else -abs(value)

    def gain(self, candidate: Any, champion: Any) -> Any:
        """Return how much better the candidate's value is; positive is better, elementwise for arrays."""
        return self.utility(candidate) - self.utility(champion)


def _mean(statistic: NDArray[Any], weights: Floats) -> Floats:
    mean: Floats = (weights @ statistic) / weights.sum(axis=1)
    return mean


def _r2(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    centered = target - target.mean()
    spread = _mean(centered**2, weights) - _mean(centered, weights) ** 2
    error = _mean((target - scores) ** 2, weights)
    rounding = 1e-14 * max(1.0, float(np.abs(target).max())) ** 2
    constant = spread <= rounding
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(constant, np.where(error == 0.0, 1.0, 0.0), 1.0 - error / spread)
    return np.where((weights > 0).sum(axis=1) > 1, values, np.nan)


def _rmse(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    return np.sqrt(_mean((target - scores) ** 2, weights))


def _mae(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    return _mean(np.abs(target - scores), weights)


def _bias(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    return _mean(scores - target, weights)


def _accuracy(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    return _mean((scores.argmax(axis=1) == target).astype(np.float64), weights)


def _f1_weighted(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    predicted = scores.argmax(axis=1)
    total = np.zeros(len(weights))
    for label in np.unique(target):
        actual, positive = target == label, predicted == label
        support, claimed, hits = (weights @ rows.astype(np.float64) for rows in (actual, positive, actual & positive))
        with np.errstate(invalid="ignore"):
            f1 = np.where(support + claimed > 0, 2.0 * hits / (support + claimed), 0.0)
        total += support * f1
    average: Floats = total / weights.sum(axis=1)
    return average


def _log_loss(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    of_truth = np.where(target >= 0, scores[np.arange(len(target)), np.maximum(target, 0)], 0.0)
    return _mean(-np.log(np.clip(of_truth, _EPSILON, 1.0 - _EPSILON)), weights)


def _roc_auc(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    if scores.shape[1] == 2:  # noqa: PLR2004
        return _binary_auc(target == _POSITIVE, scores[:, _POSITIVE], weights)
    total = np.zeros(len(weights))
    for label in range(scores.shape[1]):
        share = _mean((target == label).astype(np.float64), weights)
        total += np.where(share > 0, share * _binary_auc(target == label, scores[:, label], weights), 0.0)
    auc: Floats = total / _mean((target >= 0).astype(np.float64), weights)
    return auc


def _binary_auc(positive: NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """Return the chance that a positive row scores above a negative one, ties counting half."""
    order = np.argsort(score, kind="stable")
    sorted_score, sorted_positive = score[order], positive[order]
    ties = np.flatnonzero(np.concatenate(([True], sorted_score[1:] != sorted_score[:-1])))
    ordered = weights[:, order]
    positives = np.add.reduceat(ordered * sorted_positive, ties, axis=1)
    negatives = np.add.reduceat(ordered * ~sorted_positive, ties, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives
    wins = (positives * (below + negatives / 2)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        auc: Floats = wins / (positives.sum(axis=1) * negatives.sum(axis=1))
    return auc


METRICS: dict[MetricName, Metric] = {
    metric.name: metric
    for metric in (
        Metric("r2", "higher", _r2),
        Metric("rmse", "lower", _rmse),
        Metric("mae", "lower", _mae),
        Metric("bias", "zero", _bias),
        Metric("accuracy", "higher", _accuracy),
        Metric("f1_weighted", "higher", _f1_weighted),
        Metric("roc_auc", "higher", _roc_auc),
        Metric("log_loss", "lower", _log_loss),
    )
}
