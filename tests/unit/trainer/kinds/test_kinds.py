import numpy as np
import pytest
from interlock_contracts.candidates import Candidate
from interlock_contracts.parameters import PARAMETERS
from interlock_trainer.kinds import KINDS
from interlock_trainer.kinds.trees import Tree, flatten


@pytest.mark.parametrize("candidate", list(KINDS))
def test_defaults_lie_inside_of_the_search_space(candidate: Candidate) -> None:
    """The search starts from the defaults, so it must be able to propose them."""
    kind = KINDS[candidate]

    assert kind.defaults.keys() == kind.space.keys()
    assert all(kind.space[name].low <= value <= kind.space[name].high for name, value in kind.defaults.items())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:Using the fractional value")
@pytest.mark.parametrize("candidate", list(KINDS))
def test_what_is_searched_may_be_fixed(candidate: Candidate) -> None:
    """Its whole range, and every end of a span is taken by the estimator."""
    spans, kind = PARAMETERS[candidate], KINDS[candidate]
    matrix, targets = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    small = {"n_estimators": 2, "max_iter": 2, "width": 2, "layers": 1}

    assert list(spans)[: len(kind.space)] == list(kind.space)
    for name, searched in kind.space.items():
        assert spans[name].read(searched.low) == searched.low
        assert spans[name].read(searched.high) == searched.high
        assert spans[name].whole == searched.whole
    for name in spans.keys() - small.keys():
        for end in (spans[name].low, spans[name].high):
            params = kind.defaults | {each: low for each, low in small.items() if each in spans}
            kind.estimator("classification", params | {name: spans[name].read(end)}, 0).fit(matrix, targets)


def test_trees_are_laid_out_with_siblings_together() -> None:
    """Nodes that the root does not reach are left out, and every row ends in the leaf that the tree means."""
    tree = Tree(
        left=np.array([4, -1, -1, -1, -1]),
        right=np.array([2, -1, 1, -1, -1]),
        feature=np.array([0, 7, 1, 99, 7]),
        threshold=np.array([0.5, 0.0, 0.1, 0.0, 0.0]),
        value=np.array([[0.0], [3.0], [2.0], [9.0], [1.0]]),
    )
    engine = flatten(
        [tree],
        outputs=[0],
        base=np.array([10.0]),
        scale=1.0,
        link="identity",
        features=2,
        precision="float64",
    )

    assert len(engine.nodes) == 3
    assert engine.predict(np.array([[0.5, 0.0], [0.6, 0.0]])).tolist() == [11.0, 12.0]


def test_a_threshold_between_two_float32_sends_rows_where_float64_would() -> None:
    """Rounding a threshold up would send a float32 row that lies above it to the left."""
    threshold = float(np.float32(0.1)) - 1e-12
    stump = Tree(
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        feature=np.array([0, 0, 0]),
        threshold=np.array([threshold, 0.0, 0.0]),
        value=np.array([[0.0], [1.0], [2.0]]),
    )
    engine = flatten(
        [stump],
        outputs=[0],
        base=np.zeros(1),
        scale=1.0,
        link="identity",
        features=1,
        precision="float32",
    )

    assert engine.predict(np.array([[float(np.float32(0.1))]])).tolist() == [2.0]
