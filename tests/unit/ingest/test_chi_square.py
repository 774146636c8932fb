"""The chi-square distribution equals SciPy's."""

import pytest
from interlock_ingest.chi_square import chi_square_bound, chi_square_tail
from scipy.stats import chi2


@pytest.mark.parametrize("freedom", [1, 2, 3, 9, 11, 40, 101, 1000])
@pytest.mark.parametrize("chance", [0.99, 0.5, 0.05, 0.01, 1e-4, 1e-8])
def test_bound_and_tail_are_scipys(freedom: int, chance: float) -> None:
    """From one degree of freedom to a thousand, in both tails."""
    bound = chi2.isf(chance, freedom)

    assert chi_square_bound(freedom, chance) == pytest.approx(bound, rel=1e-9)
    assert chi_square_tail(freedom, bound) == pytest.approx(chance, rel=1e-9)


def test_nothing_is_always_passed() -> None:
    """Every number is greater."""
    assert chi_square_tail(3, 0) == 1
