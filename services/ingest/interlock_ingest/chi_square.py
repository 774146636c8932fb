"""Chi-square distribution: its upper tail, and the number that chance passes with a given probability."""

from __future__ import annotations

import math
from statistics import NormalDist

_PRECISION = 1e-15


def chi_square_tail(freedom: int, number: float) -> float:
    """Return the probability of more than ``number`` (>= 0) with ``freedom`` (>= 1) degrees of freedom.

    The regularized upper incomplete gamma function Q(freedom / 2, number / 2): by its series below the mean, by its
    continued fraction above (Press et al., Numerical Recipes, 6.2).
    """
    shape, x = freedom / 2, number / 2
    if x <= 0:
        return 1.0
    scale = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1:
        term = total = 1 / shape
        n = shape
        while term > total * _PRECISION:
            n += 1
            term *= x / n
            total += term
        return 1 - scale * total
    b = x + 1 - shape
    c, d = math.inf, 1 / b
    fraction, n = d, 0
    change = 0.0
    while abs(change - 1) > _PRECISION:
        n += 1
        factor = -n * (n - shape)
        b += 2
        d = 1 / (factor * d + b)
        c = b + factor / c
        change = c * d
        fraction *= change
    return scale * fraction


def chi_square_bound(freedom: int, chance: float) -> float:
    """Return the number that is passed with probability ``chance`` (0 < chance < 1).

    Newton's method on the logarithm of the tail, from the approximation of Wilson and Hilferty.
    """
    spread = 2 / (9 * freedom)
    number = freedom * max(0.01, 1 - spread - NormalDist().inv_cdf(chance) * math.sqrt(spread)) ** 3
    for _ in range(50):
        tail = chi_square_tail(freedom, number)
        density = math.exp((freedom / 2 - 1) * math.log(number / 2) - number / 2 - math.lgamma(freedom / 2)) / 2
        step = tail * math.log(tail / chance) / density
        number = max(number / 2, number + step)
        if abs(step) <= number * _PRECISION:
            break
    return number
