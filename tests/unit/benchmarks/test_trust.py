"""The simulation of the gate's promise, in small: ours keeps it, and a gate that does not is found out."""

import pytest

from tests.benchmarks.trust.__main__ import joined
from tests.benchmarks.trust.chains import Life, deceived, power
from tests.benchmarks.trust.page import page

LIVES = 100
LIFE = Life(rows=100, more=10, retrains=60)


@pytest.mark.parametrize("case", ["Gaussian", "lognormal", "rare label", "grouped"])
def test_few_lives_see_a_promotion_that_is_an_error(case: str) -> None:
    """Five of a hundred are what is promised; twelve would be no chance (1 in 200), and seeds are fixed besides."""
    assert deceived(case, LIFE, "ours", LIVES) < 12


def test_a_gate_without_a_ledger_is_found_out() -> None:
    """Each claim at 5 %: the control that must fail."""
    assert deceived("Gaussian", LIFE, "without the ledger", LIVES) >= 15


def test_a_gain_is_seen_on_a_quarter_more_rows() -> None:
    """Than Student's test needs for a power of 0.8 at the same error."""
    assert power("influence", 1000, 0.005, 1.25, 200) > 0.75


def test_a_part_that_is_simulated_again_replaces_its_own_numbers_alone() -> None:
    """The other populations' stay, in the order of the page; so does the power."""
    lives = [{"case": case, "gate": "ours", "deceived": 0} for case in ("Gaussian", "time")]
    again = {"lives": [{"case": "Gaussian", "gate": "ours", "deceived": 1}], "power": []}
    found = joined({"lives": lives, "power": [1]}, again, ["Gaussian", "time"])

    assert [(each["case"], each["deceived"]) for each in found["lives"]] == [("Gaussian", 1), ("time", 0)]
    assert found["power"] == [1]


def test_the_page_has_a_line_for_each_number() -> None:
    """Also of a control, and of rows that grow."""
    life = {"case": "time", "rows": 50, "more": 10, "retrains": 11, "gate": "ours", "lives": 20, "deceived": 1}
    seen = {"bound": "betting", "rows": 200, "level": 0.05, "more": 1.25, "repeats": 10, "seen": 0.8}
    text = page({"lives": [life, life | {"gate": "percentile bootstrap"}], "power": [seen]})

    assert "| 50 to 150 | 11 | time | ours | 20 | 5.0% |" in text
    assert "control: percentile bootstrap" in text
    assert "| betting | 200 | 5 % | 0.80 |" in text
