"""Whether columns have moved: both files are known by their profiles alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_contracts.drift import ColumnDrift
from interlock_ingest.drift import drift, worst
from interlock_ingest.validation.profile import NumberProfile
from numpy.typing import NDArray
from scipy.stats import entropy

from tests.unit.ingest.validation.judging import judge

COLUMNS = {"n": {"type": "number"}, "c": {"type": "category"}, "y": {"type": "number"}}
Profile = dict[str, Any]


def told(numbers: NDArray[np.float64], *, of_format: int = 2) -> Profile:
    """Return the profile of a file of one column without nulls, as a check of that format tells it."""
    column = NumberProfile(10_000, 100)
    column.add(pa.array(numbers))
    described: Profile = {"type": "number", "nulls": 0, "null_fraction": 0.0, "distinct": column.distinct}
    described |= column.describe(numbers)
    if of_format == 1:
        del described["cumulative"]["below"]
    return {"columns": {"n": described}}


def of_ten_quantiles(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """Return the index over the deciles of the file before, of which the outer ones are open."""
    ends = [-np.inf, *np.quantile(before, np.arange(1, 10) / 10), np.inf]
    was, is_now = (np.histogram(each, ends)[0] / len(each) for each in (before, now))
    return float(((is_now - was) * np.log(is_now / was)).sum())


def profile(numbers: NDArray[Any] | list[Any], categories: list[str] | None = None) -> Profile:
    """Return the profile of a file with these numbers (None is null) and categories (empty is null)."""
    categories = categories or ["a", "b"] * (len(numbers) // 2) + ["a"] * (len(numbers) % 2)
    rows = [f"{'' if n is None else n},{c},{i}" for i, (n, c) in enumerate(zip(numbers, categories, strict=True))]
    columns = judge("n,c,y\n" + "\n".join(rows) + "\n", COLUMNS).result.profile["columns"]
    return {"columns": {name: columns[name] for name in ("n", "c")}}


def moved(before: Profile, now: Profile, column: str) -> ColumnDrift:
    """Return the result of one column."""
    return next(each for each in drift(before, now) if each.column == column)


def normal(rows: int, seed: int, mean: float = 0.0) -> NDArray[np.float64]:
    """Return numbers of a normal distribution."""
    return np.random.default_rng(seed).normal(mean, 1, rows)


def test_the_index_is_that_of_the_formula() -> None:
    """By hand: shares 0.5 and 0.5 become 0.8 and 0.2, but for the half row that each bin is given."""
    found = moved(profile([1] * 1000, ["a", "b"] * 500), profile([1] * 1000, ["a"] * 800 + ["b"] * 200), "c")

    assert found.psi == pytest.approx(0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5), rel=0.01)
    assert [(each.label, each.before, each.now) for each in found.bins] == [("a", 0.5, 0.8), ("b", 0.5, 0.2)]
    assert found.verdict == "large"


def test_what_is_expected_to_move_is_measured_and_has_no_part_in_the_verdict() -> None:
    """As the month of a file for each month."""
    before, now = profile([1] * 500), profile([2] * 500)
    found = {each.column: each for each in drift(before, now, expected=["n"])}

    assert (found["n"].verdict, found["n"].expected, found["c"].expected) == ("large", True, False)
    assert worst(list(found.values())) == "stable"
    assert worst(drift(before, now)) == "large"


def test_equal_files_have_not_moved() -> None:
    """However their values are spread."""
    one = profile(np.exp(normal(3000, 1) * 3))

    found = drift(one, one)

    assert [each.psi for each in found] == [0, 0]
    assert worst(found) == "stable"


@pytest.mark.parametrize(("mean", "verdict"), [(0.0, "stable"), (0.1, "stable"), (0.4, "moderate"), (1.0, "large")])
def test_a_mean_that_moves_is_told_by_how_far(mean: float, verdict: str) -> None:
    """A tenth of a standard deviation is little, a whole one is large."""
    assert moved(profile(normal(12_000, 1)), profile(normal(12_000, 2, mean)), "n").verdict == verdict


def test_small_files_of_one_population_raise_no_alarm() -> None:
    """Their index lies above the usual bounds, and below what chance explains."""
    found = [moved(profile(normal(60, 2 * n)), profile(normal(60, 2 * n + 1)), "n") for n in range(40)]

    assert sum(each.psi is not None and each.psi > 0.1 for each in found) > 20
    assert sum(each.verdict != "stable" for each in found) <= 1


def test_numbers_outside_of_all_that_was_seen_have_bins_of_their_own() -> None:
    """A constant that becomes another constant has moved as far as can be."""
    found = moved(profile([5] * 100), profile([7] * 100), "n")

    assert [(each.label, each.before, each.now) for each in found.bins] == [("5", 1, 0), ("above 5", 0, 1)]
    assert found.verdict == "large"


def test_missing_values_are_values_here() -> None:
    """A column that half the rows lack all of a sudden has moved, with or without any number left."""
    full, half, none = profile([1, 2] * 100), profile([1, None] * 100), profile([None] * 200)

    assert moved(full, half, "n").verdict == moved(full, none, "n").verdict == moved(none, full, "n").verdict == "large"
    assert [each.label for each in moved(full, none, "n").bins] == ["1", "1 to 2", "missing"]
    assert moved(half, half, "n").bins[-1].now == pytest.approx(0.5)


def test_new_and_gone_values_are_named() -> None:
    """Only where the profiles tell every value; a rare one moves nothing."""
    found = moved(profile([1] * 400, ["a", "b"] * 200), profile([1] * 400, ["a", "b"] * 199 + ["new", "a"]), "c")

    assert (found.new_values, found.gone_values, found.verdict) == (["new"], [], "stable")


def test_values_that_a_profile_does_not_tell_make_no_drift_up() -> None:
    """Of three hundred equally frequent ones each profile tells a hundred, and not the same."""
    rng = np.random.default_rng(3)
    one, other = ([f"v{n}" for n in rng.integers(0, 300, 20_000)] for _ in range(2))
    gone = [value for value in other if value >= "v2"] * 2

    assert moved(profile([1] * 20_000, one), profile([1] * 20_000, other), "c").verdict == "stable"
    assert moved(profile([1] * 20_000, one), profile([1] * len(gone), gone), "c").verdict == "large"


def test_what_cannot_be_measured_says_why() -> None:
    """Keys, other types, new columns, and profiles from before there was drift."""
    now = profile([1, 2, 3])
    typed: Profile = {"columns": {"n": {**now["columns"]["n"], "type": "category"}}}
    old: Profile = {"columns": {"n": {k: v for k, v in now["columns"]["n"].items() if k != "cumulative"}}}

    assert drift(now, now, key=["n"])[0].reason == "part of the key, which differs in every row"
    assert drift(now, now, ignored=["n"])[0].reason == "declared with the role ignore"
    assert "it was category" in (moved(typed, now, "n").reason or "")
    assert moved(typed, now, "c").reason == "the file before has no such column"
    assert "tells no distribution" in (moved(old, now, "n").reason or "")
    assert worst(drift(now, now, key=["n", "c"])) == "not_measured"


numbers = st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=30)


@settings(max_examples=40)
@given(numbers, numbers)
def test_shares_are_shares_whatever_the_numbers(before: list[float | None], now: list[float | None]) -> None:
    """They add up to one on both sides, and the index is never negative."""
    for found in drift(profile(before), profile(now)):
        assert found.psi is not None
        assert found.psi >= 0
        assert sum(each.before for each in found.bins) == pytest.approx(1)
        assert sum(each.now for each in found.bins) == pytest.approx(1)


@pytest.mark.parametrize("of_format", [1, 2])
@pytest.mark.parametrize(
    ("mean", "deviation", "far", "verdict"),
    [
        (0.0, 1.0, 0.0, "stable"),
        (0.1, 1.0, 0.0, "stable"),
        (0.2, 1.0, 0.0, "stable"),
        (0.5, 1.0, 0.0, None),
        (0.0, 1.3, 0.0, None),
        (0.0, 1.0, 0.01, "stable"),
        (0.0, 1.0, 0.03, "stable"),
    ],
)
def test_the_index_is_that_of_ten_quantiles(
    mean: float, deviation: float, far: float, verdict: str | None, of_format: int
) -> None:
    """Within 0.01, whatever lies beyond the old maximum: a few far rows weigh as many as they are."""
    rng = np.random.default_rng(7)
    for _ in range(10):
        before, now = rng.normal(size=5000), rng.normal(mean, deviation, 5000)
        now[: round(far * 5000)] += 6

        found = moved(told(before, of_format=of_format), told(now), "n")

        assert found.psi == pytest.approx(of_ten_quantiles(before, now), abs=0.01)
        assert verdict in (None, found.verdict)


def test_the_index_of_shares_is_scipys_divergence_there_and_back() -> None:
    """To 1e-9, of the shares with half a row more in each bin."""
    found = moved(told(normal(3000, 1)), told(normal(2000, 2, 0.4)), "n")
    was, is_now = (
        [(share * rows + 0.5) / (rows + 0.5 * len(found.bins)) for share in shares]
        for rows, shares in ((3000, [b.before for b in found.bins]), (2000, [b.now for b in found.bins]))
    )

    assert found.psi == pytest.approx(entropy(was, is_now) + entropy(is_now, was), rel=1e-9)


@pytest.mark.parametrize("rows", [30, 100, 500])
def test_files_of_one_population_pass_chance_as_seldom_as_stated(rows: int) -> None:
    """Of 300 pairs three may by the stated chance; more than ten do in one of ten thousand such runs."""
    rng = np.random.default_rng(rows)
    pairs = [(rng.normal(size=rows), rng.normal(size=rows)) for _ in range(300)]

    assert sum(moved(told(before), told(now), "n").beyond_chance for before, now in pairs) <= 10


def test_a_shift_in_small_files_is_seen() -> None:
    """Of 0.3 standard deviations in 200 rows, by which the index alone passes chance in one pair of four."""
    rng = np.random.default_rng(11)
    pairs = [(rng.normal(size=200), rng.normal(0.3, 1, 200)) for _ in range(100)]
    found = [moved(told(before), told(now), "n") for before, now in pairs]

    assert sum(each.beyond_chance for each in found) >= 50
    assert sum((each.psi or 0) > (each.chance or 0) for each in found) <= 40


def test_numbers_above_a_heavy_maximum_are_counted_as_many_as_they_are() -> None:
    """Half of the rows are the maximum, and now one in a hundred lies above it: no more of them, and no fewer."""
    capped = np.minimum(normal(5000, 3), 0)
    now = np.minimum(normal(5000, 4), 0)
    now[:50] = np.linspace(1, 2, 50)

    assert moved(told(capped), told(now), "n").bins[-1].now == pytest.approx(0.01)
