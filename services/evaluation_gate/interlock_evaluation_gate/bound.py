"""Bounds of a mean gain: by betting where each row's gain is bounded, else by the rows' influence and one row more."""

from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_INFLUENTIAL = 3
MOST_WHALE = 4.0
"""So many times as far as the farthest row the one row more may lie."""

_SHARE_AT_STAKE = 0.99
_PRIOR = 0.1
"""So many rows of the greatest variance stand before the first."""

_STEPS = 30

_BETS = 300
"""So many times the bet is chosen anew."""

_NORMAL = NormalDist()
_LEAST_PRICE, _ROUNDING = 1e-300, 1e-15


@dataclass(frozen=True)
class Bound:
    """A lower bound: ``lower`` with one more row that speaks against the gain, ``plain`` without it.

    ``few`` is the share of the variance that the most influential rows have.
    """

    lower: float
    plain: float
    few: float


def lower_by_influence(gain: float, influence: Floats, level: float, *, rarest: float = 1.0) -> Bound:
    """Return the lower bound of ``gain``, from the influences [n] of its rows, with the error ``level``.

    Student's bound of the mean, of the rows and of one row more. That row is not in the sample, and of what is not in
    it no resampling tells: where a few rows lose hugely, they mostly are not there. It lies on the losing side as far
    as the next record would on average under the Pareto tail of the ``sqrt(n)`` most influential rows (Hill 1975):
    the farthest row's distance by ``1 / (1 - tail index)``, at most four times. Of two labels it is at least a row of
    the rarer one, which has the share ``rarest``, that speaks against the gain as loudly as its fellows speak for it.
    """
    rows = len(influence)
    sizes = np.abs(influence)
    squares = float(influence @ influence)
    top = min(max(5, int(sqrt(rows))), max(1, rows // 5))
    farthest = -np.sort(-np.partition(sizes, rows - top - 1)[rows - top - 1 :]) if rows > top else -np.sort(-sizes)
    few = float((farthest[:MOST_INFLUENTIAL] ** 2).sum()) / squares if squares > 0 else 0.0
    tail = float(np.log(farthest[:-1] / farthest[-1]).mean()) if farthest[-1] > 0 and rows > top else 1.0
    whale = farthest[0] * (1 / (1 - tail) if tail < 1 - 1 / MOST_WHALE else MOST_WHALE)
    whale = max(whale, 2 * max(gain, 0.0) / rarest if rarest < 1 else 0.0)
    plain = _student(gain, squares, rows, level)
    lower = _student(gain - whale / (rows + 1), squares + whale**2 * rows / (rows + 1), rows + 1, level)
    return Bound(min(lower, plain), plain, few)


def _student(mean: float, squares: float, rows: int, level: float) -> float:
    """Return Student's lower bound of a mean, from the sum of squared deviations."""
    freedom = rows - 1
    if freedom < 1:
        return float("nan")
    return mean - student_quantile(1 - level, freedom) * sqrt(squares / freedom / rows)


def student_quantile(share: float, freedom: int) -> float:
    """Return Student's quantile, to 1 % from 8 degrees of freedom on (Abramowitz and Stegun 26.7.5)."""
    z = NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return float(z + sum(term / freedom**power for power, term in enumerate(terms, start=1)))


def lower_by_betting(values: Floats, level: float) -> float:
    """Return a lower bound, with the error ``level``, of the mean of which ``values`` [n], from 0 to 1, are drawn.

    It holds for any distribution and any number of rows: the greatest mean that is surely exceeded, by halves. Whether
    one half is, as of gains from -1 to 1 whether there is any, is asked first, and nothing later takes that back.
    """
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if exceeds(values, middle, level) else (low, middle)
    return low


def exceeds(values: Floats, mean: float, level: float) -> bool:
    """Return whether the mean of which ``values`` [n], from 0 to 1, are drawn surely lies above ``mean``, from 0 to 1.

    A gambler bets row by row, in the order given, on values above it: the capital is the product of
    ``1 + bet * (value - mean)``, which ever reaches ``1 / level`` with a chance of ``level`` at most if the mean is no
    greater (Ville 1939; Waudby-Smith and Ramdas 2024, Estimating means of bounded random variables by betting). The
    last row is known, so the bets are those that most likely reach it by then: what hedges an option that pays where a
    normal test of all rows would reject (Browne 1999, Reaching goals by a deadline). The deviation is that of the rows
    before; of many rows, some have one bet.
    """
    rows = len(values)
    numbers = np.arange(1, rows + 1)
    means = (0.5 + np.cumsum(values)) / (numbers + 1)
    variance = (0.25 * _PRIOR + np.cumsum((values - means) ** 2)) / (numbers + _PRIOR)
    ends = np.linspace(0, rows, min(rows, _BETS) + 1).astype(np.int64)[1:].tolist()
    excess, greatest = values - mean, _SHARE_AT_STAKE / mean
    first, spread, log_price = 0, 0.25, log(level)
    for end in ends:
        price = min(max(exp(log_price), _LEAST_PRICE), 1 - _ROUNDING)
        bet = _NORMAL.pdf(_NORMAL.inv_cdf(price)) / price / sqrt(spread * (rows - first))
        path = log_price + np.cumsum(np.log1p(min(bet, greatest) * excess[first:end]))
        if path.max() >= 0:
            return True
        first, spread, log_price = end, float(variance[end - 1]), float(path[-1])
    return False


def of_groups(influence: Floats, groups: NDArray[np.uint64]) -> Floats:
    """Return the influences of whole groups of rows, which are drawn together, in the unit of the rows' own."""
    _, place = np.unique(groups, return_inverse=True)
    sums = np.bincount(place, weights=influence).astype(np.float64)
    each: Floats = sums * (len(sums) / len(influence))
    return each
