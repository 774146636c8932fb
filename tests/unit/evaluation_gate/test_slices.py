"""What is told of a model's metrics by slices, and what is refused for them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.evaluation_gate.test_evaluation import ROWS, Bench


def bench(
    folder: Path, groups: list[Any], noise: float = 0.5, off: dict[Any, float] | None = None, **gate: Any
) -> Bench:
    """Return a bench whose truth is ``2x + noise``, moved by so much in some of the groups."""
    made = Bench(folder, **gate)
    random = np.random.default_rng(1)
    x = random.normal(size=ROWS)
    moved = np.array([(off or {}).get(group, 0.0) for group in groups])
    y = 2 * x + random.normal(scale=noise, size=ROWS) + moved
    made.table = made.table.set_column(0, "x", pa.array(x)).set_column(1, "group", pa.array(groups))
    made.table = made.table.set_column(2, "y", pa.array(y))
    return made


def test_a_slice_has_the_interval_of_the_metric_that_decides(tmp_path: Path) -> None:
    """As wide as theory says of a mean: 1.96 standard errors to either side; of few rows there is none."""
    bench = Bench(tmp_path, champion={"metric": "bias"}, slices=["group"])
    groups = ["a"] * 200 + ["b"] * 180 + ["c"] * 20
    bench.table = bench.table.set_column(1, "group", pa.array(groups))
    found = {each["value"]: each for each in bench.judge(2.0)["slices"]["group"]}
    residuals = 2 * bench.table["x"].to_numpy()[:200] - bench.table["y"].to_numpy()[:200]

    low, high = found["a"]["interval"]
    assert low < found["a"]["metrics"]["bias"] < high
    assert high - low == pytest.approx(2 * 1.96 * residuals.std() / np.sqrt(200), rel=0.2)
    assert (found["b"]["interval"] is not None, found["c"]["interval"]) == (True, None)


MONTHS = [str(1 + row % 4) for row in range(ROWS)]


def test_a_slice_far_off_is_refused_where_a_bias_is_declared(tmp_path: Path) -> None:
    """On the whole it is small, and every metric good: one month is answered 1.6 too low, and only that is named."""
    declared = {"column": "group", "min_rows": 50, "bias": {"max": 0.5}}
    verdict = bench(tmp_path, MONTHS, off={"3": 1.6}, slices=[declared]).judge(2.0)

    assert not verdict["passed"]
    (reason,) = verdict["reasons"]
    assert reason.startswith("bias in group 3 (100 rows) is -1.")
    assert reason.endswith(", but at most 0.5 is allowed")


def test_a_slice_far_off_is_named_where_nothing_is_declared(tmp_path: Path) -> None:
    """The report says which one is the weakest, though nothing is asked of it."""
    verdict = bench(tmp_path, MONTHS, off={"3": 1.6}, slices=["group"]).judge(2.0)

    assert verdict["passed"]
    assert any(note.startswith("weakest by group: 3 (100 rows) with r2 ") for note in verdict["notes"])
    assert any(note.startswith("weakest segment found: group 3 (100 rows) with a mean ") for note in verdict["notes"])


def test_a_slice_beyond_its_bound_by_chance_is_named_and_not_refused(tmp_path: Path) -> None:
    """Fifty rows of deviation 2 have a mean of up to half a unit by chance alone."""
    groups = [str(row // 50) for row in range(ROWS)]
    declared = {"column": "group", "bias": {"max": 0.05}}
    verdict = bench(tmp_path, groups, noise=2.0, slices=[declared]).judge(2.0)

    assert verdict["passed"]
    assert {"passed": True, "text": "8 declared bounds of slices are kept"} in verdict["checks"]
    doubted = [note for note in verdict["notes"] if note.endswith("its 50 rows cannot tell that from chance")]
    assert 0 < len(doubted) <= 8


def test_a_slice_that_loses_is_refused_though_the_whole_gains(tmp_path: Path) -> None:
    """The candidate answers three groups better than the champion and the fourth worse."""
    groups = ["rare" if row % 8 == 0 else "usual" for row in range(ROWS)]
    declared = {"column": "group", "no_worse_than": 0.1}
    made = bench(tmp_path, groups, champion={"metric": "mae"}, slices=[declared])
    x = made.table["x"].to_numpy()
    slope = np.where(np.array(groups) == "rare", 1.0, 2.0)
    made.table = made.table.set_column(2, "y", pa.array(slope * x + np.random.default_rng(2).normal(0, 0.1, ROWS)))
    verdict = made.judge(2.0, champion=1.0)

    assert verdict["champion"]["lower"] > 0
    (reason,) = verdict["reasons"]
    assert not verdict["passed"]
    assert reason.startswith("mae in group rare (50 rows) is 0.")
    assert reason.endswith(" worse than the champion's, but at most 0.1 is allowed")
    assert any(note.startswith("the champion is better in group rare (50 rows)") for note in verdict["notes"])

    assert made.judge(2.0)["passed"], "a first version loses nothing against nobody"
    same = made.judge(2.0, champion=2.0)
    assert "the slice's bound is kept" not in same["reasons"]  # what is equal fails for another reason
    assert {"passed": True, "text": "2 declared bounds of slices are kept"} in same["checks"]


def test_a_slice_of_few_rows_is_listed_and_not_judged(tmp_path: Path) -> None:
    """``min_rows`` says how few; with a lower number the same slice is judged."""
    groups = ["few"] * 20 + ["many"] * (ROWS - 20)
    for least, passed in ((50, True), (20, False)):
        declared = {"column": "group", "min_rows": least, "bias": {"max": 0.5}}
        verdict = bench(tmp_path, groups, off={"few": 3.0}, slices=[declared]).judge(2.0)

        assert verdict["passed"] is passed
        assert {each["value"]: each["rows"] for each in verdict["slices"]["group"]} == {"many": 380, "few": 20}
