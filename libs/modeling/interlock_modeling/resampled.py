"""Means, spreads and R2 of many weighted resamples at once; see ``metrics`` for what a resample is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CANCELLED = 1e-6
"""A difference of numbers of about 1 below this has lost more than six of its sixteen digits."""


def mean_of(statistic: NDArray[Any], weights: Floats) -> Floats:
    """Return the mean [resamples] of a statistic [n]."""
    mean: Floats = (weights @ statistic) / weights.sum(axis=1)
    return mean


def r2(target: NDArray[Any], scores: Floats, weights: Floats) -> Floats:
    """Return 1 - error / spread; where all rows have one truth, 1 if it is met exactly, else 0.

    Both are measured in the greatest distance from the mean, so that neither the target's size nor its unit matters.
    """
    centered = target - target.mean() if (target != target[:1]).any() else np.zeros(len(target))
    unit = float(np.abs(centered).max(initial=0.0)) or 1.0
    centered = centered / unit
    error = mean_of(((target - scores) / unit) ** 2, weights)
    spread = _spread(centered, weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(spread == 0.0, np.where(error == 0.0, 1.0, 0.0), 1.0 - error / spread)
    return np.where((weights > 0).sum(axis=1) > 1, values, np.nan)


def _spread(centered: Floats, weights: Floats) -> Floats:
    """Return the variance [resamples] of numbers within -1 and 1 whose mean is about 0; 0 exactly where all are equal.

    The mean square less the squared mean is quick, and right to ten digits but where the two are nearly the same. Where
    all rows count alike the mean is 0 but for rounding, which is left in, as scikit-learn does.
    """
    alike = weights.max(axis=1) == weights.min(axis=1)
    spread = mean_of(centered**2, weights) - np.where(alike, 0.0, mean_of(centered, weights) ** 2)
    for near in np.flatnonzero(spread < _CANCELLED):
        drawn, times = centered[weights[near] > 0], weights[near][weights[near] > 0]
        distance = drawn - drawn[0]
        spread[near] = np.average((distance - np.average(distance, weights=times)) ** 2, weights=times)
    return spread
