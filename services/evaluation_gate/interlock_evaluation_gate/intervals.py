"""Intervals of a metric on held-out rows, from the rows' influences."""

from collections.abc import Mapping

import numpy as np
from interlock_contracts.pipeline import Pipeline
from interlock_modeling import METRICS
from numpy.typing import NDArray

from interlock_evaluation_gate.bound import Bound, lower_by_influence
from interlock_evaluation_gate.domain import Interval, interval_confidence
from interlock_evaluation_gate.influence import influences
from interlock_evaluation_gate.measured import Measured

Floats = NDArray[np.float64]


def influence_on(measured: Measured, name: str, value: float | None) -> Floats | None:
    """Return the influence [n] of each row on a metric, in its unit; None where it, ``value``, is undefined on them."""
    if value is None or not np.isfinite(value):
        return None
    metric = METRICS[name].at(measured.quantile)  # type: ignore[index]
    return influences(metric, measured.target, measured.scores, measured.decided)


def bounds_of(value: float, influence: Floats, confidence: float) -> tuple[Bound, Bound] | None:
    """Return the bounds of both ends of a metric's two-sided interval, the upper one negated; None of one row."""
    if len(influence) < 2:  # noqa: PLR2004
        return None
    level = (1 - confidence) / 2
    return lower_by_influence(value, influence, level), lower_by_influence(-value, -influence, level)


def threshold_intervals(
    pipeline: Pipeline, measured: Measured, scores: Mapping[str, float]
) -> dict[str, Interval | None]:
    """Return the interval of each metric that has a threshold; one more row at either end is allowed for.

    ``scores`` are the metrics, by name.
    """
    found: dict[str, Interval | None] = {}
    for name, threshold in pipeline.gate.metrics.items():
        influence = influence_on(measured, name, scores[name])
        bounds = None if influence is None else bounds_of(scores[name], influence, interval_confidence(threshold))
        rows = len(measured.target)
        found[name] = None if bounds is None else Interval(bounds[0].lower, -bounds[1].lower, rows)
    return found
