from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.unit.ingest.validation.judging import judge

COLUMNS = {
    "n": {"type": "number"},
    "i": {"type": "integer"},
    "c": {"type": "category"},
    "b": {"type": "boolean"},
    "d": {"type": "datetime"},
}
ROWS = 30_000


@pytest.fixture(scope="module")
def profile() -> dict[str, dict[str, Any]]:
    rng = np.random.default_rng(0)
    numbers = rng.normal(100, 15, ROWS)
    cells = ["" if n % 10 == 0 else f"{numbers[n]:.6f}" for n in range(ROWS)]
    lines = [
        f"{cells[n]},{n},{'abc'[n % 3]},{'true' if n % 4 else 'false'},2026-01-{n % 28 + 1:02}" for n in range(ROWS)
    ]
    judged = judge("n,i,c,b,d\n" + "\n".join(lines) + "\n", COLUMNS, "i")
    described = json.loads(json.dumps(judged.result.profile, allow_nan=False))
    assert described["rows"] == ROWS
    columns: dict[str, dict[str, Any]] = described["columns"]
    return columns


def test_moments_and_extremes_are_exact(profile: dict[str, dict[str, Any]]) -> None:
    """Merged over chunks they are those of the whole column."""
    integers = np.arange(ROWS)

    column = profile["i"]

    assert (column["min"], column["max"], column["nulls"]) == (0, ROWS - 1, 0)
    assert column["mean"] == pytest.approx(integers.mean())
    assert column["std"] == pytest.approx(integers.std())


def test_nulls_are_counted_and_left_out(profile: dict[str, dict[str, Any]]) -> None:
    """They have no mean."""
    assert profile["n"]["nulls"] == ROWS / 10
    assert profile["n"]["null_fraction"] == pytest.approx(0.1)
    assert profile["n"]["mean"] == pytest.approx(100, abs=0.5)


def test_quantiles_and_histogram_are_those_of_a_fair_sample(profile: dict[str, dict[str, Any]]) -> None:
    """Ten thousand rows chosen by their hash say what all rows say."""
    column = profile["n"]

    quantiles: dict[str, float] = column["quantiles"]
    histogram: dict[str, list[float]] = column["histogram"]
    assert quantiles["0.5"] == pytest.approx(100, abs=1)
    assert quantiles["0.95"] == pytest.approx(100 + 1.645 * 15, abs=2)
    assert (histogram["edges"][0], histogram["edges"][-1]) == (column["min"], column["max"])
    assert sum(histogram["counts"]) == pytest.approx(9000, abs=200)


def test_distinct_values_are_exact_up_to_a_cap(profile: dict[str, dict[str, Any]]) -> None:
    """Above it the profile says so."""
    assert (profile["d"]["distinct"], profile["d"]["distinct_is"]) == (28, "exact")
    assert (profile["i"]["distinct"], profile["i"]["distinct_is"]) == (10_000, "at_least")


def test_frequent_values_come_with_their_counts(profile: dict[str, dict[str, Any]]) -> None:
    """For categories and booleans alike."""
    assert profile["c"]["top"] == [{"value": value, "count": ROWS / 3} for value in "abc"]
    assert profile["b"]["top"] == [
        {"value": "true", "count": ROWS * 3 / 4},
        {"value": "false", "count": ROWS / 4},
    ]
    assert profile["c"]["other"] == 0


def test_dates_have_extremes(profile: dict[str, dict[str, Any]]) -> None:
    """As ISO 8601 in UTC."""
    assert profile["d"]["min"] == "2026-01-01T00:00:00+00:00"


def test_times_have_a_histogram(profile: dict[str, dict[str, Any]]) -> None:
    """Its edges are ISO 8601, too."""
    histogram = profile["d"]["histogram"]

    assert (histogram["edges"][0], histogram["edges"][-1]) == (profile["d"]["min"], profile["d"]["max"])
    assert sum(histogram["counts"]) == 10_000


def test_a_distribution_is_told_in_a_hundred_points(profile: dict[str, dict[str, Any]]) -> None:
    """From the smallest number of the sample to the largest, in equal steps."""
    cumulative = profile["n"]["cumulative"]

    assert len(cumulative["values"]) == len(cumulative["at_most"]) == 100
    assert cumulative["at_most"][-1] == cumulative["rows"] == pytest.approx(9000, abs=200)
    middle = np.searchsorted(cumulative["values"], 100)
    assert cumulative["at_most"][middle] / cumulative["rows"] == pytest.approx(0.5, abs=0.03)


def test_a_few_values_are_told_one_by_one() -> None:
    """With how many rows have at most that much."""
    judged = judge("n,y\n3,1\n1,2\n1,3\n,4\n", {"n": {"type": "number"}, "y": {"type": "number"}})

    assert judged.result.profile["columns"]["n"]["cumulative"] == {
        "rows": 3,
        "values": [1, 3],
        "at_most": [2, 3],
        "below": [0, 2],
    }


@pytest.mark.parametrize(
    ("values", "edges", "counts"),
    [
        ([3, 1, 1, 2, 4], [0.5, 1.5, 2.5, 3.5, 4.5], [2, 1, 1, 1]),
        ([-7, -7], [-7.5, -6.5], [2]),
        ([0, 40, 41], [-0.5 + 3 * bin_ for bin_ in range(15)], [1, *12 * [0], 2]),
    ],
)
def test_whole_numbers_have_bins_of_whole_numbers(values: list[int], edges: list[float], counts: list[int]) -> None:
    """Each bin has equally many, so that no bar is taller only for what it spans."""
    rows = "".join(f"{value},1\n" for value in values)
    judged = judge(f"n,y\n{rows}", {"n": {"type": "integer"}, "y": {"type": "number"}})

    assert judged.result.profile["columns"]["n"]["histogram"] == {"edges": edges, "counts": counts}


@pytest.mark.parametrize("low", [2**51 - 1, -(2**52), 2**53, -(2**63)])
def test_whole_numbers_that_leave_no_room_for_halves_are_counted_too(low: int) -> None:
    """In the bins that there can be."""
    judged = judge(f"n,y\n{low},1\n{low + 1},2\n", {"n": {"type": "integer"}, "y": {"type": "number"}})

    assert sum(judged.result.profile["columns"]["n"]["histogram"]["counts"]) == 2


@pytest.mark.parametrize(("low", "high"), [("0", "5e-324"), ("10000000000000000", "10000000000000002"), ("7", "7")])
def test_numbers_closer_than_bins_can_be_have_one_bin(low: str, high: str) -> None:
    """A file is not refused for them."""
    judged = judge(f"n,y\n{low},1\n{high},2\n", {"n": {"type": "number"}, "y": {"type": "number"}})

    histogram = judged.result.profile["columns"]["n"]["histogram"]
    assert histogram == {"edges": [float(low), float(high)], "counts": [2]}


def test_a_wide_file_is_told_in_fewer_points() -> None:
    """The profile stays within bounds, however many columns there are."""
    names = [f"n{n}" for n in range(2000)]
    lines = [",".join(f"{n * row}" for n in range(2000)) + f",{row}" for row in range(40)]
    judged = judge(
        ",".join([*names, "y"]) + "\n" + "\n".join(lines) + "\n",
        {name: {"type": "number"} for name in [*names, "y"]},
    )

    assert len(judged.result.profile["columns"]["n7"]["cumulative"]["values"]) < 30


def test_numbers_that_overflow_stay_json() -> None:
    """The sum of the largest doubles is no number, and JSON has no infinity."""
    judged = judge("n,y\n1e308,1\n-1e308,2\n1e308,3\n", {"n": {"type": "number"}, "y": {"type": "number"}})

    described = json.dumps(judged.result.profile, allow_nan=False)
    assert json.loads(described)["columns"]["n"]["std"] is None


def test_a_column_that_says_nothing_or_too_much_is_warned_of() -> None:
    """Constants carry nothing; thousands of labels are free text or identifiers."""
    lines = [f"same,text {n % 1500},,{n}" for n in range(1600)]
    columns = {
        "k": {"type": "category"},
        "t": {"type": "category"},
        "e": {"type": "number"},
        "y": {"type": "number"},
    }
    judged = judge("k,t,e,y\n" + "\n".join(lines), columns)

    assert {(warning.rule, warning.column) for warning in judged.result.warnings} == {
        ("constant", "k"),
        ("constant", "e"),
        ("many_values", "t"),
    }


def test_cardinality_is_exact_where_a_rule_asks_for_it() -> None:
    """Above the profile's own cap too."""
    content = "t,y\n" + "".join(f"text {n},1\n" for n in range(12_000))
    columns = {"t": {"type": "category", "max_cardinality": 12_000}, "y": {"type": "number"}}

    assert judge(content, columns).result.accepted
    assert judge(content + "one more,1\n", columns).reason("max_cardinality").count == 12_001
