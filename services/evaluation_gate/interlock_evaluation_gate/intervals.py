"""Intervals of a metric on held-out rows, from the rows' influences."""

import numpy as np
from interlock_contracts.pipeline import Pipeline
from interlock_modeling import METRICS
from numpy.typing import NDArray

from interlock_evaluation_gate.bound import Bound, lower_by_influence
from interlock_evaluation_gate.domain import Interval, interval_confidence
from interlock_evaluation_gate.influence import influences
from interlock_evaluation_gate.measured import Measured

Floats = NDArray[np.float64]


def influence_on(measured: Measured, name: str, rows: NDArray[np.bool_] | slice = slice(None)) -> Floats | None:
    """Return the influence of each of the rows on a metric, in its unit; None where it is undefined on them."""
    if not np.isfinite(measured.metric(name, rows)):
        return None
    decided = None if measured.decided is None else measured.decided[rows]
    metric = METRICS[name].at(measured.quantile)  # type: ignore[index]
    return influences(metric, measured.target[rows], measured.scores[rows], decided)


def bounds_of(
    measured: Measured, name: str, confidence: float, rows: NDArray[np.bool_] | slice = slice(None)
) -> tuple[Bound, Bound] | None:
    """Return the bounds of both ends of the metric's two-sided interval, the upper one negated; None if undefined."""
    influence = influence_on(measured, name, rows)
    if influence is None or len(influence) < 2:  # noqa: PLR2004
        return None
    value, level = measured.metric(name, rows), (1 - confidence) / 2
    return lower_by_influence(value, influence, level), lower_by_influence(-value, -influence, level)


def threshold_intervals(pipeline: Pipeline, measured: Measured) -> dict[str, Interval | None]:
    """Return the interval of each metric that has a threshold; one more row at either end is allowed for."""
    found: dict[str, Interval | None] = {}
    for name, threshold in pipeline.gate.metrics.items():
        bounds = bounds_of(measured, name, interval_confidence(threshold))
        rows = len(measured.target)
        found[name] = None if bounds is None else Interval(bounds[0].lower, -bounds[1].lower, rows)
    return found
