"""Rows on which models are measured whose true quality is known: no candidate is better than the champion.

The champion errs to one side, a candidate as far to the other, or a little farther. A row's gain is the champion's loss
less the candidate's; its mean over all rows there are is 0, or below.
"""

from collections.abc import Callable
from math import exp, log

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = Callable[[np.random.Generator, int], Floats]

GROUP = 5
"""Rows of one group, which have most of their target in common."""

SHARE = 0.066
"""The rarer label's."""


def gaussian(random: np.random.Generator, rows: int) -> Floats:
    return random.normal(size=rows)


def lognormal(random: np.random.Generator, rows: int) -> Floats:
    return np.exp(random.normal(size=rows)) - exp(0.5)


def pareto(random: np.random.Generator, rows: int) -> Floats:
    """Return stars of repositories, as it were: of the tail index 1/3."""
    tail: Floats = random.pareto(3.0, rows) - 0.5
    return tail


def rare(random: np.random.Generator, rows: int) -> Floats:
    """Return a rare label's logarithmic losses, turned into numbers of mean 0: mostly a little, now and then much."""
    return (random.random(rows) < SHARE) * log(1 / SHARE) - SHARE * log(1 / SHARE)


def grouped(random: np.random.Generator, rows: int) -> Floats:
    groups = np.repeat(random.normal(size=-(-rows // GROUP)), GROUP)[:rows]
    return (2 * groups + random.normal(size=rows)) / 5**0.5


def in_time(random: np.random.Generator, rows: int) -> Floats:
    """Return rows whose spread grows with time, up to three times the first one's, and falls again."""
    return random.normal(size=rows) * (2 - np.cos(np.arange(rows) / 200))


CASES: dict[str, Rows] = {
    "Gaussian": gaussian,
    "lognormal": lognormal,
    "Pareto": pareto,
    "rare label": rare,
    "grouped": grouped,
    "time": in_time,
}


def gains(target: Floats, noise: Floats, *, side: float, worse: float) -> Floats:
    """Return the gains [n] in squared error of a candidate that is not better, on rows of mean 0.

    The champion answers ``side`` for each, the candidate ``-side - worse * sign(side)`` and a little noise of mean 0,
    whose square is taken off again: on average it is worse by ``2 * |side| * worse + worse ** 2``.
    """
    answer = -side - worse * np.sign(side) + noise
    result: Floats = (target - side) ** 2 - (target - answer) ** 2 + 0.01
    return result
