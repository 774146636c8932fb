"""The weakest segments are found by themselves, and nothing is found where there is nothing."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from interlock_evaluation_gate.segments import find_segments
from interlock_evaluation_gate.slicing import Slicing, by_column


def cuts(rows: int, random: np.random.Generator) -> dict[str, Slicing]:
    """Return the slices by six columns of chance."""
    columns: dict[str, Any] = {f"n{number}": pa.array(random.normal(size=rows)) for number in range(3)}
    columns |= {f"c{number}": pa.array(random.choice(list("abcd"), rows)) for number in range(3)}
    return {name: by_column(column) for name, column in columns.items()}


def test_a_pair_of_values_that_costs_more_is_found() -> None:
    """Neither value alone is worse by much; the segments that merely hold some of its rows are not told."""
    random = np.random.default_rng(3)
    made = cuts(4_000, random)
    weak = (made["c0"].of == made["c0"].labels.index("b")) & (made["n1"].of == 4)
    loss = random.exponential(size=4_000) * np.where(weak, 3.0, 1.0)

    (found,) = find_segments(loss, made, 0.95)
    assert str(found) == f"c0 b and n1 {made['n1'].labels[4]}"
    assert found.rows == weak.sum()
    assert found.mean == pytest.approx(loss[weak].mean())


@pytest.mark.parametrize("shape", ["half_normal", "lognormal"])
def test_nothing_is_found_in_noise(shape: str) -> None:
    """Some 150 segments are looked at in each of twenty tables; the level is divided among them."""
    alarms = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        noise = random.normal(size=1_000)
        loss = np.abs(noise) if shape == "half_normal" else np.exp(noise)
        alarms += bool(find_segments(loss, cuts(1_000, random), 0.95))
    assert alarms <= 2


def test_nothing_is_found_in_few_rows() -> None:
    """A segment has fifty rows at least."""
    random = np.random.default_rng(0)
    assert find_segments(random.exponential(size=40), cuts(40, random), 0.95) == []
