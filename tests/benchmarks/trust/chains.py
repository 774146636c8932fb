"""The life of a model: retrain after retrain, none of them better, until one is promoted by mistake or it ends."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from interlock_evaluation_gate.bound import exceeds, lower_by_influence, of_groups, student_quantile
from interlock_registry.budget import Booked, allowance
from numpy.typing import NDArray

from tests.benchmarks.trust.data import CASES, GROUP, gains

Floats = NDArray[np.float64]
Kind = Literal["influence", "betting"]
Gate = Literal["ours", "without the row more", "without the ledger", "percentile bootstrap"]

BUDGET = 0.05
RESAMPLES = 400


@dataclass(frozen=True)
class Life:
    """The rows held out at first, how many each retrain adds, and how many retrains there are."""

    rows: int
    more: int
    retrains: int


def is_deceived(case: str, life: Life, gate: Gate, random: np.random.Generator) -> bool:
    """Return whether any of a model's retrains, of which none is better, is promoted.

    The one who retrains is adaptive: what gained on the held-out rows is tried again, a little changed, what lost is
    tried on the other side.
    """
    target = CASES[case](random, life.rows + life.more * life.retrains)
    claims: list[Booked] = []
    side, worse = 0.5 if case != "rare label" else 0.05, 0.0
    side *= random.choice([-1, 1])
    for number in range(life.retrains):
        rows = life.rows + life.more * number
        noise = 0.1 * random.normal(size=rows)
        found = gains(target[:rows], noise, side=side, worse=worse)
        fresh = life.rows if number == 0 else life.more
        allowed = allowance(claims, fresh, BUDGET)
        rarest = float((target[:rows] > 0).mean()) if case == "rare label" else 1.0
        if promotes(found, allowed.level, gate, case, rarest=rarest, random=random):
            return True
        claims.append(Booked(fresh=fresh, level=allowed.level, carried=allowed.carried, outcome="refused"))
        if found.mean() > 0:
            worse = abs(worse + random.normal(scale=0.005))
        else:
            side, worse = -side, abs(random.normal(scale=0.01))
    return False


def promotes(found: Floats, level: float, gate: Gate, case: str, *, rarest: float, random: np.random.Generator) -> bool:
    """Return whether a gate lets a candidate pass, from the gains of its rows and the rarer label's share of them."""
    if rarest == 0:
        return False  # as the gate has it: without a row of a label there is no bound
    mean = float(found.mean())
    if gate == "percentile bootstrap":
        counts = random.multinomial(len(found), np.full(len(found), 1 / len(found)), size=RESAMPLES)
        return bool(np.quantile(counts @ found, BUDGET) > 0)
    influence = found - mean
    if case == "grouped":
        influence = of_groups(influence, np.arange(len(found), dtype=np.uint64) // GROUP)
    bound = lower_by_influence(mean, influence, BUDGET if gate == "without the ledger" else level, rarest=rarest)
    return (bound.plain if gate == "without the row more" else bound.lower) > 0


def deceived(case: str, life: Life, gate: Gate, lives: int) -> int:
    """Return how many of so many lives see a promotion that makes the model worse, or no better."""
    return sum(is_deceived(case, life, gate, np.random.default_rng([life.rows, number])) for number in range(lives))


def power(kind: Kind, rows: int, level: float, more: float, repeats: int) -> float:
    """Return how often a gain is seen on ``more`` times the rows on which Student's test sees it at 0.8."""
    random = np.random.default_rng([rows, repeats])
    gain = (student_quantile(1 - level, rows - 1) + 0.8416) / np.sqrt(rows)
    seen = 0
    for _ in range(repeats):
        found = random.normal(gain, 1.0, round(rows * more))
        if kind == "betting":  # gains from -10 to 10 standard deviations, as by a declared clip
            seen += exceeds((found.clip(-10, 10) + 10) / 20, 0.5, level)
        else:
            mean = float(found.mean())
            seen += lower_by_influence(mean, found - mean, level).lower > 0
    return seen / repeats
