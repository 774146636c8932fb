"""What a claim may err: all of them together never more than the budget, whatever their order and outcomes."""

from dataclasses import replace

import numpy as np
import pytest
from interlock_contracts.ledger import Outcome
from interlock_registry.budget import Booked, allowance, spent

BUDGET = 0.05


def claims(fresh: list[int], outcome: Outcome = "refused") -> list[Booked]:
    """Return a claim for each file of so many fresh rows, all with one outcome."""
    made: list[Booked] = []
    for rows in fresh:
        allowed = allowance(made, rows, BUDGET)
        made.append(Booked(fresh=rows, level=allowed.level, carried=allowed.carried, outcome=outcome))
    return made


@pytest.mark.parametrize(
    "fresh",
    [[100] * 2000, [100] + [0] * 2000, [1, 1_000_000] * 500, [100, 200, 400, 800, 1600], [0] * 100, [0, 100] * 500],
    ids=["a file a day", "the same rows", "wild", "doubling", "no rows at all", "every second day"],
)
def test_all_claims_together_never_exceed_the_budget(fresh: list[int]) -> None:
    """However many there are, and whatever rows they bring."""
    made = claims(fresh)

    assert all(claim.level > 0 for claim in made)
    assert spent(made) == pytest.approx(sum(claim.level for claim in made))
    assert spent(made) <= BUDGET


def test_whatever_the_outcomes_are_the_budget_holds() -> None:
    """What is handed on is handed on once."""
    random = np.random.default_rng(5)
    outcomes: list[Outcome] = ["refused", "passed", "promoted", "untested", "open"]
    made: list[Booked] = []
    for _ in range(1000):
        fresh = int(random.integers(0, 300))
        allowed = allowance(made, fresh, BUDGET)
        outcome = outcomes[int(random.integers(len(outcomes)))]
        made.append(Booked(fresh=fresh, level=allowed.level, carried=allowed.carried, outcome=outcome))

    assert spent(made) + allowance(made, 0, BUDGET).carried <= BUDGET
    assert sum(claim.level - claim.carried for claim in made) <= BUDGET


def test_an_equal_retrain_spends_nothing() -> None:
    """The claim after it may err by its own part and by what that one did not use."""
    tested = claims([100, 100])
    untested = [tested[0], replace(tested[1], outcome="untested")]

    assert spent(untested) == tested[0].level
    assert allowance(untested, 100, BUDGET).carried == pytest.approx(tested[1].level)
    assert allowance(untested, 100, BUDGET).level > allowance(tested, 100, BUDGET).level


def test_a_promotion_costs_nothing_once_it_is_made() -> None:
    """A claim that is right is no error, and a wrong one is the one that may happen."""
    made = claims([100, 100], "promoted")

    assert spent(made) == 0
    assert made[1].carried == pytest.approx(made[0].level)


@pytest.mark.parametrize(("number", "times"), [(25, 1.3), (100, 3), (1000, 20)])
def test_fresh_rows_buy_more_than_blind_spending(number: int, times: float) -> None:
    """With a file a day a claim may err by so many times the 6/(pi k)^2 that its number alone would allow."""
    made = claims([100] * number)

    assert made[-1].level > times * BUDGET * 6 / (np.pi * number) ** 2
    assert made[-1].level > 3 * allowance(made[:-1], 0, BUDGET).level


def test_a_claim_without_a_verdict_counts_as_spent() -> None:
    """It may still pass."""
    assert spent(claims([100], "open")) > 0
