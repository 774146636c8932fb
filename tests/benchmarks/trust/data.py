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

_FAMOUS = 0.02

SHARE = 0.066
"""The rarer label's."""


def gaussian(random: np.random.Generator, rows: int) -> Floats:
    return random.normal(size=rows)


def lognormal(random: np.random.Generator, rows: int) -> Floats:
    prices: Floats = np.exp(random.standard_normal(rows)).astype(np.float64) - exp(0.5)
    return prices


def pareto(random: np.random.Generator, rows: int) -> Floats:
    """Return stars of repositories, as it were: of the tail index 1/3."""
    tail: Floats = random.pareto(3.0, rows) - 0.5
    return tail


def stars(random: np.random.Generator, rows: int) -> Floats:
    """Return rows like the residuals of repositories' stars: mostly small ones below 0, and few of thousands.

    A lognormal body of sigma 1.3, and of one row in fifty a Pareto tail of the index 0.4, in units of the body; it is
    made for this, and no table is read.
    """
    body = np.exp(1.3 * random.standard_normal(rows))
    tail = 8 * (1 + random.pareto(2.5, rows))
    found: Floats = np.where(random.random(rows) < _FAMOUS, tail, body).astype(np.float64)
    return found - (_FAMOUS * 8 * (1 + 1 / 1.5) + (1 - _FAMOUS) * exp(0.5 * 1.3**2))


def rare(random: np.random.Generator, rows: int) -> Floats:
    """Return a rare label's logarithmic losses, turned into numbers of mean 0: mostly a little, now and then much."""
    positive = (random.random(rows) < SHARE).astype(np.float64)
    losses: Floats = (positive - SHARE) * log(1 / SHARE)
    return losses


def grouped(random: np.random.Generator, rows: int) -> Floats:
    groups = np.repeat(random.normal(size=-(-rows // GROUP)), GROUP)[:rows]
    target: Floats = (2 * groups + random.normal(size=rows)) / 5**0.5
    return target


def in_time(random: np.random.Generator, rows: int) -> Floats:
    """Return rows whose spread grows with time, up to three times the first one's, and falls again."""
    target: Floats = random.normal(size=rows) * (2 - np.cos(np.arange(rows) / 200))
    return target


CASES: dict[str, Rows] = {
    "Gaussian": gaussian,
    "lognormal": lognormal,
    "Pareto": pareto,
    "stars": stars,
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
