"""Comparison of two fits on the same folds."""

import math
import statistics
from collections.abc import Callable, Sequence


def paired(
    ours: Sequence[float], theirs: Sequence[float], utility: Callable[[float], float]
) -> tuple[float, float | None]:
    """Return by how much ``ours`` is better in the mean over the folds, and the standard error of that.

    Scores of folds hang together, since folds share training rows: the variance of k differences is taken times
    1/k + 1/(k - 1), the second part being scored rows over training rows (Nadeau and Bengio 2003, equation 9). None
    for a single fold.
    """
    gains = [float(utility(a)) - float(utility(b)) for a, b in zip(ours, theirs, strict=True)]
    folds = len(gains)
    if folds == 1:
        return gains[0], None
    return statistics.fmean(gains), math.sqrt(statistics.variance(gains) * (1 / folds + 1 / (folds - 1)))
