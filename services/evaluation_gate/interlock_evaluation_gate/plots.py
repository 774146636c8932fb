"""Bounded plot data of the report: small for any holdout, and never the holdout itself.

Nothing here decides anything, so whatever cannot be drawn (numbers too far apart for a histogram) is left out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from interlock_contracts.report import (
    MOST_BINS,
    MOST_CURVE_POINTS,
    MOST_CURVES,
    MOST_LABELS,
    MOST_POINTS,
    CalibrationBin,
    ConfusionMatrix,
    Histogram,
    Plots,
    PredictedActual,
    RocCurve,
)
from interlock_modeling.metrics import calibration_bins
from interlock_modeling.signature import ModelSignature, decide, label_names
from numpy.typing import NDArray

Floats = NDArray[np.float64]

OUTSIDE = 0.005
"""So large a share on either side of a histogram may lie outside of its bins."""


def plots(signature: ModelSignature, target: NDArray[Any], scores: Floats) -> Plots:
    """Return what is drawn of a model's answers ``scores`` ([n] or [n, k]) to rows whose truth is ``target`` [n].

    A classification's ``target`` holds places in the signature's labels, -1 for a label that it does not know.
    """
    if signature.labels is None:
        with np.errstate(over="ignore"):
            residuals = scores - target
        return Plots(predicted=predicted_actual(target, scores), residuals=histogram(residuals))
    labels = label_names(signature.labels)
    likeliest = scores.argmax(axis=1)
    return Plots(
        confusion=confusion(labels, target, decide(scores, signature.threshold)),
        roc=roc(labels, target, scores),
        calibration=calibration(scores.max(axis=1), likeliest == target),
    )


def predicted_actual(actual: Floats, predicted: Floats) -> PredictedActual:
    """Return pairs of truth and answer, at even distances in the order of the truth where there are too many."""
    order = np.argsort(actual, kind="stable")
    shown = order[_evenly(len(order), MOST_POINTS)]
    return PredictedActual(rows=len(order), actual=short(actual[shown]), predicted=short(predicted[shown]))


def histogram(values: Floats) -> Histogram | None:
    """Return how values are distributed; None where there are none, or bins cannot tell them apart."""
    if not len(values) or not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [OUTSIDE, 1 - OUTSIDE], method="nearest")
    if low == high:
        margin = max(abs(float(low)) * 1e-6, 1e-9)
        low, high = low - margin, high + margin
    with np.errstate(over="ignore", invalid="ignore"):
        edges = np.linspace(low, high, min(MOST_BINS, max(5, int(np.sqrt(len(values))))) + 1)
    if not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
        return None
    below, above = int((values < edges[0]).sum()), int((values > edges[-1]).sum())
    counts, _ = np.histogram(values[(values >= edges[0]) & (values <= edges[-1])], edges)
    return Histogram(edges=edges.tolist(), counts=counts.tolist(), below=below, above=above)


def confusion(labels: Sequence[str], target: NDArray[Any], predicted: NDArray[Any]) -> ConfusionMatrix:
    """Return how often each label was taken for each other; the rarest of too many labels are one."""
    many = len(labels)
    table = np.zeros((many + 1, many), dtype=np.int64)
    np.add.at(table, (np.where(target < 0, many, target), predicted), 1)
    counts, unknown = table[:many], table[many]
    names, pooled = list(labels), 0
    if many > MOST_LABELS:
        common = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[: MOST_LABELS - 1])
        names, pooled = [labels[place] for place in common], many - len(common)
        names.append(f"{pooled} others")
        group = np.full(many, len(common))
        group[common] = np.arange(len(common))
        sums = np.zeros((len(names), len(names)), dtype=np.int64)
        np.add.at(sums, (group[:, None], group[None, :]), counts)
        counts, unknown = sums, np.bincount(group, weights=unknown, minlength=len(names)).astype(np.int64)
    return ConfusionMatrix(
        labels=names, counts=counts.tolist(), pooled=pooled, unknown=unknown.tolist() if unknown.any() else []
    )


def roc(labels: Sequence[str], target: NDArray[Any], scores: Floats) -> list[RocCurve]:
    """Return a curve a label, the most frequent first; of two labels one, as the other's is the same mirrored."""
    places = [1] if len(labels) == 2 else list(range(len(labels)))  # noqa: PLR2004
    rows = {place: int((target == place).sum()) for place in places}
    shown = sorted((place for place in places if 0 < rows[place] < len(target)), key=lambda place: -rows[place])
    return [_curve(labels[place], target == place, scores[:, place]) for place in shown[:MOST_CURVES]]


def _curve(label: str, positive: NDArray[np.bool_], score: Floats) -> RocCurve:
    """Return the rates at every threshold: rows of equal score are passed together, or ties would look like skill."""
    order = np.argsort(-score, kind="stable")
    last_of_ties = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    hits = np.cumsum(positive[order])[last_of_ties]
    alarms = last_of_ties + 1 - hits
    true_rate = np.concatenate(([0.0], hits / hits[-1]))
    false_rate = np.concatenate(([0.0], alarms / alarms[-1]))
    shown = _evenly(len(true_rate), MOST_CURVE_POINTS)
    return RocCurve(
        label=label,
        rows=int(positive.sum()),
        auc=float(np.trapezoid(true_rate, false_rate)),
        false_positive_rate=short(false_rate[shown]),
        true_positive_rate=short(true_rate[shown]),
    )


def calibration(confidence: Floats, hit: NDArray[np.bool_]) -> list[CalibrationBin]:
    """Return how often predictions were right, by how sure they were: the bins of ``calibration_error`` with rows."""
    found = calibration_bins(confidence)
    members = [found == each for each in np.unique(found)]
    return [
        CalibrationBin(
            rows=int(rows.sum()), confidence=float(confidence[rows].mean()), accuracy=float(hit[rows].mean())
        )
        for rows in members
    ]


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    """Return at most ``most`` of ``count`` places, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def short(values: Floats) -> list[float]:
    """Return numbers with the six digits that a plot can show."""
    return [float(f"{value:.6g}") for value in values]
