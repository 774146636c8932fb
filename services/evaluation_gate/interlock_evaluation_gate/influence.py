"""How much each held-out row speaks for or against a model: the influence function of every metric.

A metric of resampled rows is, but for terms of second order, the metric plus the mean influence of the rows drawn
(Hampel 1974, The influence curve and its role in robust estimation). So the spread over all resamples, and what one
more row would do, are known without drawing any, for a million rows within seconds.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from interlock_modeling.metrics import Metric, calibration_bins
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BINARY = 2
_STEP = 1e-5
"""The rows of one pattern are made more by this share of all rows, to see what they do."""

_AT_ONCE = 4_000_000


def influences(
    metric: Metric, target: NDArray[Any], scores: Floats, decided: NDArray[np.int64] | None = None
) -> Floats:
    """Return the influence [n] of each row on the metric, in its unit; their mean is 0, but for rounding.

    ``target``, ``scores`` and ``decided`` are those of ``interlock_modeling.metrics``; the rows are such that the
    metric is defined.
    """
    if (binary := _BY_RANK.get(metric.name)) is not None:
        return _one_against_the_rest(binary, target, scores)
    if metric.name == "calibration_error":
        return _of_calibration(target, scores)
    said = scores.argmax(axis=-1) if decided is None else decided
    if metric.by_row is None:
        return _of_labels(metric, target, said, scores.shape[1])
    if metric.by_label:
        scores = (said[:, None] == np.arange(scores.shape[1])).astype(np.float64)
    each = metric.by_row(target, scores)
    return _of_mean(metric, target, each)


def _of_mean(metric: Metric, target: NDArray[Any], each: Floats) -> Floats:
    """Return the influences on a metric that is, or follows from, the mean of ``each`` [n]."""
    centered = _centered(each)
    if metric.name == "r2":
        spread = (target - target.mean()) ** 2
        variance = float(spread.mean())
        if variance == 0:
            return np.zeros(len(target))
        of_both: Floats = (float(each.mean()) / variance * (spread - variance) - centered) / variance
        return of_both
    if metric.name == "rmse":
        root = float(np.sqrt(each.mean()))
        return centered / (2 * root) if root > 0 else np.zeros(len(target))
    return centered


def _centered(each: Floats) -> Floats:
    centered: Floats = each - each.mean()
    return centered


def _of_calibration(target: NDArray[Any], scores: Floats) -> Floats:
    confidence = scores.max(axis=1)
    bins = calibration_bins(confidence)
    missed = (scores.argmax(axis=1) == target) - confidence
    each: Floats = np.sign(np.bincount(bins, weights=missed))[bins] * missed
    return _centered(each)


def _of_labels(metric: Metric, target: NDArray[Any], said: NDArray[np.int64], labels: int) -> Floats:
    """Return the influences on what depends on true and predicted label alone, from the metric itself.

    Rows of one pattern (truth, prediction) have one influence: the metric with a little more of them, less the metric.
    """
    codes, of_row, counts = np.unique((target + 1) * labels + said, return_inverse=True, return_counts=True)
    truth = codes // labels - 1
    answers = (codes % labels)[:, None] == np.arange(labels)
    rows, found = len(target), []
    base = metric.formula(truth, answers.astype(np.float64), counts[None, :].astype(np.float64))
    for first in range(0, len(codes), step := max(1, _AT_ONCE // len(codes))):
        places = np.arange(first, min(first + step, len(codes)))
        weights = np.tile(counts.astype(np.float64), (len(places), 1))
        weights[np.arange(len(places)), places] += _STEP * rows
        found.append((metric.formula(truth, answers.astype(np.float64), weights) - base) / _STEP)
    each: Floats = np.concatenate(found)[of_row]
    return _centered(each)


_Binary = Callable[[NDArray[np.bool_], Floats], tuple[float, Floats]]


def _one_against_the_rest(binary: _Binary, target: NDArray[Any], scores: Floats) -> Floats:
    """Return the influences on the positive label's metric of two, else on the mean over labels, weighted by rows."""
    if scores.shape[1] == _BINARY:
        return binary(target == 1, scores[:, 1])[1]
    known = (target >= 0).astype(np.float64)
    total, each = 0.0, np.zeros(len(target))
    for label in range(scores.shape[1]):
        of_label = target == label
        share = float(of_label.mean())
        if share > 0:
            value, influence = binary(of_label, scores[:, label])
            total += share * value
            each += (of_label - share) * value + share * influence
    of_all: Floats = (each - total / known.mean() * (known - known.mean())) / known.mean()
    return of_all


def _of_auc(positive: NDArray[np.bool_], score: Floats) -> tuple[float, Floats]:
    """Return the area and its influences, from how many rows of the other kind each row is above (DeLong 1988)."""
    _, of_row = np.unique(score, return_inverse=True)
    below, above = _share_below(of_row, ~positive), _share_below(of_row, positive)
    share = float(positive.mean())
    value = float(below[positive].mean())
    return value, np.where(positive, (below - value) / share, ((1 - above) - value) / (1 - share))


def _share_below(of_row: NDArray[np.int64], of: NDArray[np.bool_]) -> Floats:
    """Return the share of the rows ``of`` that each row's score, given by its place, is above; ties count half."""
    counts = np.bincount(of_row, weights=of)
    below: Floats = ((np.cumsum(counts) - counts / 2) / counts.sum())[of_row]
    return below


def _of_average_precision(positive: NDArray[np.bool_], score: Floats) -> tuple[float, Floats]:
    """Return the area in steps and its influences: a row changes the precision at every score that is not above its."""
    levels, of_row = np.unique(-score, return_inverse=True)  # the highest score first
    hits = np.bincount(of_row, weights=positive, minlength=len(levels))
    found, seen = np.cumsum(hits), np.cumsum(np.bincount(of_row, minlength=len(levels)))
    precision, rows, positives = found / seen, len(score), float(positive.sum())
    value = float((hits * precision).sum() / positives)
    from_here = [np.cumsum((hits * part)[::-1])[::-1] for part in (1 / seen, precision / seen)]
    alone = positive * (precision[of_row] - value)
    among = positive * from_here[0][of_row] - from_here[1][of_row]
    return value, rows / positives * (alone + among)


_BY_RANK: dict[str, _Binary] = {"roc_auc": _of_auc, "average_precision": _of_average_precision}
