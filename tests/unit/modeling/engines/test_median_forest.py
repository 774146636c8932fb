"""The weighted median of a forest's trees."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interlock_modeling.engines import ForestEngine, MedianForestEngine, ModelFormatError, load_engine
from interlock_modeling.engines.flat_file import write_arrays
from interlock_trainer.kinds.trees import Tree, flatten


def leaves(*answers: float) -> ForestEngine:
    """Return trees that are a leaf each, with an output each."""
    none = np.array([-1])
    trees = [Tree(none, none, np.array([0]), np.zeros(1), np.array([[answer]])) for answer in answers]
    about: Any = {
        "outputs": range(len(trees)),
        "base": np.zeros(len(trees)),
        "link": "identity",
        "precision": "float32",
    }
    return flatten(trees, **about, scale=1.0, features=1)


@pytest.mark.parametrize(
    ("weights", "median"),
    [([1, 1, 1], 2.0), ([5, 1, 1], 7.0), ([1, 5, 1], 1.0), ([1, 1, 2], 2.0), ([0, 0, 1], 2.0), ([2, 1, 1], 2.0)],
)
def test_the_least_answer_that_has_half_of_all_weight_is_taken(weights: list[float], median: float) -> None:
    """The trees answer 7, 1 and 2; exactly half is enough."""
    engine = MedianForestEngine(leaves(7.0, 1.0, 2.0), np.array(weights, dtype=np.float64))

    assert engine.predict(np.zeros((2, 1))).tolist() == [median, median]


def test_one_tree_is_its_own_median() -> None:
    """Whatever its weight."""
    assert MedianForestEngine(leaves(7.0), np.ones(1)).predict(np.zeros((3, 1))).tolist() == [7.0, 7.0, 7.0]


def test_it_is_stored_and_mapped(tmp_path: Path) -> None:
    """As the forest that it is, and the weights."""
    MedianForestEngine(leaves(7.0, 1.0, 2.0), np.array([1.0, 2.0, 3.0])).save(tmp_path / "engine")
    engine = load_engine("median_forest", 1, tmp_path / "engine")

    assert engine.features == 1
    assert engine.predict(np.zeros((1, 1))).tolist() == [2.0]


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ([1.0, 2.0], "do not fit each other"),
        ([1.0, -1.0, 1.0], "finite numbers from 0 up"),
        ([1.0, np.nan, 1.0], "finite numbers from 0 up"),
        ([0.0, 0.0, 0.0], "weight 0"),
        ([[1.0, 1.0, 1.0]], "finite numbers from 0 up"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: Any, told: str) -> None:
    """What is loaded was written by somebody else."""
    with pytest.raises(ModelFormatError, match=told):
        MedianForestEngine(leaves(7.0, 1.0, 2.0), np.array(weights))


def test_trees_that_share_an_output_have_no_median(tmp_path: Path) -> None:
    """Nor is a file without weights one."""
    shared = replace(leaves(7.0, 1.0), output=np.zeros(2, dtype=np.int64))
    with pytest.raises(ModelFormatError, match="do not fit each other"):
        MedianForestEngine(shared, np.ones(2))

    attributes, arrays = shared.stored
    write_arrays(tmp_path / "engine", "median_forest", 1, attributes, arrays)
    with pytest.raises(ModelFormatError, match="no weights"):
        load_engine("median_forest", 1, tmp_path / "engine")
