"""Metrics of held-out predictions, over all rows or over many weighted resamples at once.

A resample is one row of ``weights`` [resamples, n]: how often each of the n rows counts in it. ``target`` and
``scores`` are what ``ModelSignature.targets`` and ``Predictions.scores`` give: numbers [n] and [n] for a regression,
label indices [n] (-1 for a label that the model does not know) and probabilities [n, k] for a classification.
``decided`` [n] is which label the model predicted, where that is not simply the most probable one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from interlock_contracts.gate import DIRECTIONS, Better, MetricName
from numpy.typing import NDArray

from interlock_modeling.resampled import mean_of, r2

Floats = NDArray[np.float64]
Formula = Callable[[NDArray[Any], Floats, Floats], Floats]
ByRow = Callable[[NDArray[Any], Floats], Floats]

_EPSILON = float(np.finfo(np.float64).eps)
_POSITIVE = 1
"""A binary classification's second label counts as the positive one."""
_BINARY = 2
CALIBRATION_BINS = 15


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; ``undefined`` says in words on which rows it has no value, and is empty where it always has one.

    ``by_label`` says that it counts predicted labels, however probable they are. ``by_row`` returns, from target and
    scores, the values [n] whose mean it is, or of ``r2`` and ``rmse``, follows from; None where there are no such.
    """

    name: MetricName
    formula: Formula
    undefined: str = ""
    by_label: bool = False
    by_row: ByRow | None = None

    def at(self, quantile: float | None) -> "Metric":
        """Return the metric at a quantile, where it is one that has quantiles; without one that is the median."""
        if self.name != "pinball_loss" or quantile is None:
            return self
        by_row = partial(_quantile_losses, quantile=quantile)
        return replace(self, formula=_averaged(by_row), by_row=by_row)

    @property
    def better(self) -> Better:
        """Return in which direction it is better."""
        return DIRECTIONS[self.name]

    def value(self, target: NDArray[Any], scores: Floats, decided: NDArray[np.int64] | None = None) -> float:
        """Return the metric over all rows; NaN where it is undefined."""
        return float(self.resampled(target, scores, np.ones((1, len(target))), decided)[0])

    def resampled(
        self, target: NDArray[Any], scores: Floats, weights: Floats, decided: NDArray[np.int64] | None = None
    ) -> Floats:
        """Return the metric [resamples] of each resample in ``weights`` [resamples, n]."""
        if self.by_label and decided is not None:
            scores = (decided[:, None] == np.arange(scores.shape[1])).astype(np.float64)
        return self.formula(target, scores, weights)

    def utility(self, value: Any) -> Any:
        """Return ``value`` (a number or an array) turned so that more is better."""
        if self.better == "higher":
            return value
        return -value if self.better == "lower" else -abs(value)

    def gain(self, candidate: Any, champion: Any) -> Any:
        """Return how much better the candidate's value is; positive is better, elementwise for arrays."""
        return self.utility(candidate) - self.utility(champion)


def _averaged(by_row: ByRow) -> Formula:
    """Return the formula of a metric that is the mean of values of single rows."""
    return lambda target, scores, weights: mean_of(by_row(target, scores), weights)


def _rmse(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    return np.sqrt(mean_of(_squared_errors(target, scores), weights))


def _squared_errors(target: NDArray[Any], scores: Floats) -> Floats:
    squares: Floats = (target - scores) ** 2
    return squares


def _absolute_errors(target: NDArray[Any], scores: Floats) -> Floats:
    errors: Floats = np.abs(target - scores)
    return errors


def _mape(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    """Return the mean absolute error as a share of the truth: 0.1 is 10 %."""
    return np.where(weights @ (target == 0.0) > 0, np.nan, mean_of(_error_shares(target, scores), weights))


def _error_shares(target: NDArray[Any], scores: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(target == 0.0, 0.0, np.abs((target - scores) / target))


def _quantile_losses(target: NDArray[Any], scores: Floats, *, quantile: float = 0.5) -> Floats:
    """Return the quantile losses, in the target's unit (Koenker and Bassett 1978, Regression Quantiles).

    A row that is answered too low costs ``quantile`` of its error, one that is answered too high the rest of it.
    """
    error = target - scores
    losses: Floats = np.maximum(quantile * error, (quantile - 1.0) * error)
    return losses


def _hits(target: NDArray[Any], scores: Floats) -> Floats:
    hits: Floats = (scores.argmax(axis=1) == target).astype(np.float64)
    return hits


def _f1_weighted(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    support, predicted, hits = _confusion(target, scores, weights)
    f1 = _ratio(2.0 * hits, support + predicted, otherwise=0.0)
    average: Floats = (support * f1).sum(axis=0) / weights.sum(axis=1)
    return average


def _precision(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    support, predicted, hits = _confusion(target, scores, weights)
    return _of_positive_or_mean(_ratio(hits, predicted, otherwise=0.0), support + predicted)


def _recall(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    support, predicted, hits = _confusion(target, scores, weights)
    binary = len(support) == _BINARY + 1
    return _of_positive_or_mean(_ratio(hits, support, otherwise=np.nan if binary else 0.0), support + predicted)


def _balanced_accuracy(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    support, _, hits = _confusion(target, scores, weights)
    recalls: Floats = _ratio(hits, support, otherwise=0.0).sum(axis=0) / (support > 0).sum(axis=0)
    return recalls


def _confusion(target: NDArray[Any], scores: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return, each [k + 1, resamples], how many rows have a label, are predicted to, and both; unknown labels last."""
    best, labels = scores.argmax(axis=1), scores.shape[1]
    known = np.where(target >= 0, target, labels)
    counted = ((known, None), (best, None), (best, known == best))
    support, predicted, hits = (_by_place(places, weights, labels + 1, of) for places, of in counted)
    return support, predicted, hits


def _by_place(places: NDArray[np.int64], weights: Floats, many: int, of: Any = None) -> Floats:
    """Return the weights' sums [many, resamples] by each row's place; with ``of`` [n], those of weighted numbers."""
    sums = [np.bincount(places, each if of is None else each * of, many) for each in weights]
    by_place: Floats = np.array(sums, dtype=np.float64).T
    return by_place


def _of_positive_or_mean(by_label: Floats, seen: Floats) -> Floats:
    """Return the positive label's value where there are two, else the mean over labels that are true or predicted."""
    if len(by_label) == _BINARY + 1:
        positive: Floats = by_label[_POSITIVE]
        return positive
    mean: Floats = np.where(seen > 0, by_label, 0.0).sum(axis=0) / (seen > 0).sum(axis=0)
    return mean


def _ratio(part: Floats, whole: Floats, *, otherwise: float) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, otherwise)


def _squared_distances(target: NDArray[Any], scores: Floats) -> Floats:
    """Return the squared errors of the probabilities (Brier 1950), from 0 to 1 for two labels, to 2 for more."""
    truth = target[:, None] == np.arange(scores.shape[1])
    squares: Floats = ((scores - truth) ** 2).sum(axis=1) + (target < 0)
    return squares / 2 if scores.shape[1] == _BINARY else squares


def calibration_bins(confidence: Floats) -> NDArray[np.int64]:
    """Return the bin of each probability [n]: bin ``i`` of ``CALIBRATION_BINS`` ends with its ``i + 1``-th part."""
    return np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(np.int64) - 1, 0, CALIBRATION_BINS - 1)


def _calibration_error(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    """Return how far the probability of the predicted label is from how often that label is true.

    The expected calibration error over 15 bins of equal width (Guo et al. 2017, On Calibration of Modern Neural
    Networks, equation 3): the mean distance by bin, weighted by rows; from 0 to 1.
    """
    confidence = scores.max(axis=1)
    missed = (scores.argmax(axis=1) == target) - confidence
    by_bin = _by_place(calibration_bins(confidence), weights, CALIBRATION_BINS, missed)
    distance: Floats = np.abs(by_bin).sum(axis=0) / weights.sum(axis=1)
    return distance


def _log_losses(target: NDArray[Any], scores: Floats) -> Floats:
    of_truth = np.where(target >= 0, scores[np.arange(len(target)), np.maximum(target, 0)], 0.0)
    losses: Floats = -np.log(np.clip(of_truth, _EPSILON, 1.0 - _EPSILON))
    return losses


def _roc_auc(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    return _one_against_the_rest(_binary_auc, target, scores, weights)


def _average_precision(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    return _one_against_the_rest(_binary_average_precision, target, scores, weights)


def _one_against_the_rest(
    binary: Callable[[NDArray[np.bool_], Floats, Floats], Floats],
    target: NDArray[Any],
    scores: Floats,
    weights: Floats,
) -> Floats:
    """Return the metric of the positive label of two, else the mean over labels, weighted by their rows."""
    if scores.shape[1] == _BINARY:
        return binary(target == _POSITIVE, scores[:, _POSITIVE], weights)
    total = np.zeros(len(weights))
    for label in range(scores.shape[1]):
        share = mean_of((target == label).astype(np.float64), weights)
        total += np.where(share > 0, share * binary(target == label, scores[:, label], weights), 0.0)
    average: Floats = total / mean_of((target >= 0).astype(np.float64), weights)
    return average


def _by_score(positive: NDArray[np.bool_], score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return how many positive and negative rows have each score, both [resamples, scores], from the lowest on."""
    order = np.argsort(score)
    sorted_score, sorted_positive = score[order], positive[order]
    ties = np.flatnonzero(np.concatenate(([True], sorted_score[1:] != sorted_score[:-1])))
    ordered = weights[:, order]
    positives = np.add.reduceat(ordered * sorted_positive, ties, axis=1)
    negatives = np.add.reduceat(ordered * ~sorted_positive, ties, axis=1)
    return positives, negatives


def _binary_average_precision(positive: NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """Return the precision at each score, averaged over the positive rows: the area under the curve, in steps."""
    positives, negatives = (counts[:, ::-1] for counts in _by_score(positive, score, weights))
    found = np.cumsum(positives, axis=1)
    precision = _ratio(found, found + np.cumsum(negatives, axis=1), otherwise=0.0)
    with np.errstate(invalid="ignore"):
        average: Floats = (positives * precision).sum(axis=1) / positives.sum(axis=1)
    return average


def _binary_auc(positive: NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """Return the chance that a positive row scores above a negative one, ties counting half."""
    positives, negatives = _by_score(positive, score, weights)
    below = np.cumsum(negatives, axis=1) - negatives
    wins = (positives * (below + negatives / 2)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        auc: Floats = wins / (positives.sum(axis=1) * negatives.sum(axis=1))
    return auc


def _mean_metric(name: MetricName, by_row: ByRow, *, by_label: bool = False) -> Metric:
    return Metric(name, _averaged(by_row), by_label=by_label, by_row=by_row)


METRICS: dict[MetricName, Metric] = {
    metric.name: metric
    for metric in (
        Metric("r2", r2, "there is one row only", by_row=_squared_errors),
        Metric("rmse", _rmse, by_row=_squared_errors),
        _mean_metric("mae", _absolute_errors),
        _mean_metric("bias", lambda target, scores: scores - target),
        Metric("mape", _mape, "the target is 0 in a row", by_row=_error_shares),
        _mean_metric("pinball_loss", _quantile_losses),
        _mean_metric("accuracy", _hits, by_label=True),
        Metric("f1_weighted", _f1_weighted, by_label=True),
        Metric("roc_auc", _roc_auc, "all rows have the same label"),
        _mean_metric("log_loss", _log_losses),
        Metric("precision", _precision, by_label=True),
        Metric("recall", _recall, "no row is positive", by_label=True),
        Metric("balanced_accuracy", _balanced_accuracy, by_label=True),
        Metric("average_precision", _average_precision, "no row is positive"),
        _mean_metric("brier_score", _squared_distances),
        Metric("calibration_error", _calibration_error),
    )
}
