"""What is told of a model's metrics by the values of a column."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.evaluation_gate.test_evaluation import Bench


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
