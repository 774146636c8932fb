from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_modeling.engines import Engine, ForestEngine, LinearEngine, ModelFormatError, load_engine
from interlock_modeling.engines.flat_file import write_arrays
from interlock_modeling.engines.forest import Precision
from interlock_modeling.engines.forest_nodes import pack, unpack
from interlock_modeling.engines.links import Link, apply_link
from numpy.typing import NDArray

from tests.unit.modeling.engines.forests import boosted, random_forest, stumps

INF = np.inf


def walked(engine: ForestEngine, row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a row gets from walking in plain Python."""
    sums = np.zeros_like(engine.base)
    splits = unpack(engine.nodes)
    for root, output in zip(engine.roots, engine.output, strict=True):
        at = int(root)
        while splits.ahead[at]:
            number = row[splits.feature[at]].astype(engine.precision)
            at += splits.ahead[at] + int(number > splits.threshold[at])
        sums[output] += engine.value[engine.nodes[at, 0], 0]
    return engine.base + engine.scale * sums


def linear(link: Link = "identity", outputs: int = 1) -> LinearEngine:
    rng = np.random.default_rng(0)
    return LinearEngine(rng.normal(size=(outputs, 3)), rng.normal(size=outputs), link)


def test_a_forest_adds_the_leaves_that_a_row_reaches() -> None:
    """A row on a threshold goes left; leaf values are scaled and added to the base."""
    matrix = np.array([[0.1, 9.0], [0.2, 5.0], [0.2, 5.1]])

    assert stumps().predict(matrix).tolist() == [60.5, 61.0, 61.5]


def test_thresholds_decide_in_which_precision_rows_are_compared() -> None:
    """With float32 thresholds a row is cast first, as scikit-learn's forests and XGBoost do."""
    just_above = np.array([[np.nextafter(0.1, 1.0), 9.0]])

    assert stumps("float64").predict(just_above).tolist() == [61.5]
    assert stumps("float32").predict(just_above).tolist() == [60.5]


@pytest.mark.parametrize("trees", [1, 7, 8, 19])
@pytest.mark.parametrize(("features", "precision"), [(3, "float32"), (3, "float64"), (300, "float32")])
def test_every_row_ends_in_the_leaves_that_the_trees_mean(trees: int, features: int, precision: Precision) -> None:
    """For narrow and wide nodes and any remainder of eight; values on splits, beyond float32 and not a number too."""
    engine = random_forest(trees, features, depth=5, precision=precision)
    rng = np.random.default_rng(5)
    matrix = rng.integers(-9, 9, (40, features)) / 10
    matrix[rng.random(matrix.shape) < 0.02] = 1e300
    matrix[rng.random(matrix.shape) < 0.02] = -np.inf
    matrix[rng.random(matrix.shape) < 0.02] = np.nan

    with np.errstate(over="ignore"):
        expected = [walked(engine, row) for row in matrix]

    assert engine.predict(matrix).tolist() == pytest.approx(np.array(expected), rel=1e-14)


@pytest.mark.parametrize("together", [1, 8, 9, 1_024, 3_001])
def test_an_answer_does_not_depend_on_its_neighbours(together: int) -> None:
    """Rows that happen to be asked together get the very bits that each gets alone."""
    engine = random_forest(19, 3, depth=5, precision="float32")
    matrix = np.random.default_rng(1).uniform(-1, 1, size=(together, 3))

    alone = np.concatenate([engine.predict(row[None]) for row in matrix])

    assert engine.predict(matrix).tobytes() == alone.tobytes()


def test_matrices_may_lie_in_memory_as_they_like() -> None:
    """Columns first, every second row, read-only: the answers are the same, and nothing is compiled for it."""
    engine = random_forest(8, 3, depth=3, precision="float32")
    matrix = np.random.default_rng(1).uniform(-1, 1, size=(20, 3))
    frozen = matrix.copy()
    frozen.flags.writeable = False

    expected = engine.predict(matrix)

    assert engine.predict(np.asfortranarray(matrix)).tobytes() == expected.tobytes()
    assert engine.predict(frozen).tobytes() == expected.tobytes()
    assert engine.predict(matrix[::2]).tobytes() == expected[::2].tobytes()


def test_a_matrix_of_another_width_is_refused() -> None:
    """The kernel checks no bounds, so the engine does."""
    with pytest.raises(ValueError, match="3 columns, the forest takes 2"):
        stumps().predict(np.zeros((1, 3)))


def test_trees_add_to_their_own_output() -> None:
    """Boosted classes have a tree each."""
    two = replace(stumps(), output=np.array([1, 0]), base=np.array([0.0, 1.0]), scale=1.0)

    assert two.predict(np.array([[0.0, 0.0]])).tolist() == [[100.0, 2.0]]


def test_links_give_probabilities() -> None:
    """One logistic output makes two probabilities, softmax as many as outputs; both stay finite at the extremes."""
    extreme = np.array([[1e4, 1e4, 1e4], [-1e4, -1e4, -1e4], [0.1, 0.2, 0.3]])

    for engine in (linear("logistic"), linear("softmax", 4), boosted("logistic", 500), boosted("softmax", 500)):
        probabilities = engine.predict(extreme)
        alone = np.concatenate([engine.predict(row[None]) for row in extreme])
        assert np.isfinite(probabilities).all()
        assert np.allclose(probabilities.sum(axis=1), 1.0)
        assert np.allclose(probabilities, alone, rtol=1e-14, atol=0)


@pytest.mark.parametrize("link", ["logistic", "softmax"])
def test_a_forest_and_a_linear_model_mean_the_same_by_a_link(link: Link) -> None:
    """The kernel's probabilities of a forest's sums are those that NumPy makes of them."""
    matrix = np.random.default_rng(3).uniform(-1, 1, (20, 3))
    sums = replace(boosted(link, 2), link="identity").predict(matrix).reshape(len(matrix), -1)

    assert np.allclose(boosted(link, 2).predict(matrix), apply_link(link, sums), rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    "engine",
    [
        stumps(),
        stumps("float32", "logistic", -5.0),
        random_forest(3, 300, 4, "float32"),
        linear(),
        linear("softmax", 3),
    ],
)
def test_a_stored_engine_answers_like_the_original(engine: Engine, tmp_path: Path) -> None:
    """What was written and mapped again gives bit-equal answers; equal engines give equal files."""
    matrix = np.random.default_rng(2).normal(size=(50, engine.features))
    engine.save(tmp_path / "engine")
    engine.save(tmp_path / "again")

    loaded = load_engine(engine.kind, engine.version, tmp_path / "engine")
    expected = loaded.predict(matrix).tobytes()
    (tmp_path / "engine").unlink()

    assert engine.predict(matrix).tobytes() == expected == loaded.predict(matrix).tobytes()
    loaded.save(tmp_path / "engine")
    assert (tmp_path / "engine").read_bytes() == (tmp_path / "again").read_bytes()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ahead": [1, 0, 3, 0, 0, 0]}, "children outside of its tree"),
        ({"ahead": [1, 0, 1, 0, 0, 1]}, "children outside of its tree"),
        ({"feature": [0, 0, 2, 0, 0, 0]}, "no such feature"),
        ({"threshold": [np.nan, 0, 5, 0, 0, 0]}, "no threshold"),
        ({"value": [[1.0], [2.0], [3.0]]}, "a leaf has no value"),
        ({"value": [[1.0], [2.0], [3.0], [INF]]}, "a value is not finite"),
        ({"features": 3}, "a leaf has no value, or a feature"),
        ({"roots": [0, 6]}, "do not follow each other"),
        ({"roots": [0, 0]}, "do not follow each other"),
        ({"roots": [1, 5]}, "do not follow each other"),
        ({"roots": []}, "roots and outputs"),
        ({"output": [0, 1]}, "output that is not there"),
        ({"output": [-1, 0]}, "output that is not there"),
        ({"precision": "float32"}, None),
        ({"link": "logistic", "base": [1.0, 2.0]}, "one output"),
    ],
)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_unsound_trees_are_refused(change: dict[str, Any], reason: str | None, precision: Precision) -> None:
    """Strangers' children and whatever lies outside are found before a row is walked."""
    engine = stumps(precision)
    splits = unpack(engine.nodes)
    types = {"roots": np.uint64, "output": np.int64, "value": np.float64, "ahead": np.int64, "feature": np.int64}
    arrays: dict[str, Any] = {
        name: np.array(v, types.get(name)) if isinstance(v, list) else v for name, v in change.items()
    }
    inner = {name: array for name, array in arrays.items() if hasattr(splits, name)}
    if inner:
        arrays = {"nodes": pack(replace(splits, **inner), 2, single=precision == "float32")}

    if reason is None:
        assert replace(engine, **arrays).precision == change["precision"]
        return
    with pytest.raises(ModelFormatError, match=reason):
        replace(engine, **arrays)


def test_unknown_kinds_and_versions_are_refused(tmp_path: Path) -> None:
    """A gateway serves only what it knows how to compute."""
    linear().save(tmp_path / "engine")

    for kind, version, reason in [("magic", 1, "unknown engine magic 1"), ("forest", 1, "unknown engine forest 1")]:
        with pytest.raises(ModelFormatError, match=reason):
            load_engine(kind, version, tmp_path / "engine")
    with pytest.raises(ModelFormatError, match="holds linear 1, not forest 2"):
        load_engine("forest", 2, tmp_path / "engine")


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    """A model that answers NaN is no model."""
    write_arrays(
        tmp_path / "engine",
        "linear",
        1,
        {"link": "identity"},
        {"coefficients": np.array([[np.nan]]), "intercepts": np.array([0.0])},
    )

    with pytest.raises(ModelFormatError, match="finite"):
        load_engine("linear", 1, tmp_path / "engine")


@settings(max_examples=400)
@given(data=st.data(), engine=st.sampled_from([stumps(), linear("softmax", 3)]))
def test_damaged_files_are_refused_or_harmless(
    data: st.DataObject, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever bytes change or are missing: a clear refusal or an engine that answers, never a crash or a hang."""
    path = tmp_path_factory.mktemp("damaged") / "engine"
    engine.save(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])

    try:
        loaded = load_engine(engine.kind, engine.version, path)
    except ModelFormatError:
        return
    with np.errstate(all="ignore"):
        loaded.predict(np.zeros((3, loaded.features)))


@pytest.mark.parametrize("content", [b"", b"ILENGINE", b"x" * 100, b"ILENGINE" + b"\xff" * 100])
def test_files_that_are_no_engines_are_refused(content: bytes, tmp_path: Path) -> None:
    """Empty, short and foreign files get a reason."""
    (tmp_path / "engine").write_bytes(content)

    with pytest.raises(ModelFormatError):
        load_engine("linear", 1, tmp_path / "engine")
