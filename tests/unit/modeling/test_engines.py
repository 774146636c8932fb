from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_modeling.engines import Engine, ForestEngine, LinearEngine, ModelFormatError, load_engine
from interlock_modeling.engines.flat_file import write_arrays
from interlock_modeling.engines.links import Link

INF = np.inf


def stumps(threshold_type: type = np.float64, link: Link = "identity", base: float = 10.0) -> ForestEngine:
    """Return x0 <= 0.1 ? 1 : (x1 <= 5 ? 2 : 3), and a tree that is a single leaf of 100."""
    return ForestEngine(
        roots=np.array([0, 5], np.int32),
        output=np.array([0, 0], np.int32),
        feature=np.array([0, 0, 1, 0, 0, 0], np.int32),
        threshold=np.array([0.1, INF, 5.0, INF, INF, INF], threshold_type),
        child=np.array([1, 1, 3, 3, 4, 5], np.int32),
        value=np.array([[0.0], [1.0], [0.0], [2.0], [3.0], [100.0]]),
        base=np.array([base]),
        scale=0.5,
        link=link,
        features=2,
    )


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

    assert stumps(np.float64).predict(just_above).tolist() == [61.5]
    assert stumps(np.float32).predict(just_above).tolist() == [60.5]


def test_many_rows_answer_like_single_ones() -> None:
    """Rows are walked in chunks; the seams don't show."""
    matrix = np.random.default_rng(1).uniform(-1, 9, size=(300_000, 2))

    together = stumps().predict(matrix)

    assert together[::50_000].tolist() == [float(stumps().predict(row[None])[0]) for row in matrix[::50_000]]


def test_trees_add_to_their_own_output() -> None:
    """Boosted classes have a tree each."""
    engine = stumps()
    two = ForestEngine(
        **{name: getattr(engine, name) for name in ("roots", "feature", "threshold", "child", "value", "features")},
        output=np.array([1, 0], np.int32),
        base=np.array([0.0, 1.0]),
        scale=1.0,
        link="identity",
    )

    assert two.predict(np.array([[0.0, 0.0]])).tolist() == [[100.0, 2.0]]


def test_links_give_probabilities() -> None:
    """One logistic output makes two probabilities, softmax as many as outputs; both stay finite at the extremes."""
    extreme = np.array([[1e4, 1e4, 1e4], [-1e4, -1e4, -1e4], [0.1, 0.2, 0.3]])

    for engine in (linear("logistic"), linear("softmax", 4)):
        probabilities = engine.predict(extreme)
        assert np.isfinite(probabilities).all()
        assert np.allclose(probabilities.sum(axis=1), 1.0)


@pytest.mark.parametrize("engine", [stumps(), stumps(np.float32, "logistic", -5.0), linear(), linear("softmax", 3)])
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
        ({"child": [0, 1, 3, 3, 4, 5]}, "a leaf has a threshold"),
        ({"child": [2, 1, 0, 3, 4, 5]}, "before its parent or outside"),
        ({"child": [1, 1, 99, 3, 4, 5]}, "before its parent or outside"),
        ({"child": [1, 1, -3, 3, 4, 5]}, "before its parent or outside"),
        ({"child": [2, 1, 3, 3, 4, 5]}, "share a child"),
        ({"roots": [0, 6]}, "a root lies outside"),
        ({"roots": [0, 0]}, "share a root"),
        ({"roots": []}, "roots and outputs"),
        ({"feature": [0, 0, 2, 0, 0, 0]}, "feature that is not there"),
        ({"feature": [0, 0]}, "differ in length"),
        ({"output": [0, 1]}, "output that is not there"),
    ],
)
def test_unsound_trees_are_refused(change: dict[str, list[int]], reason: str) -> None:
    """Cycles, strangers' children and indices outside are found before a row is walked."""
    fields: dict[str, Any] = {name: getattr(stumps(), name) for name in ForestEngine.__match_args__}

    with pytest.raises(ModelFormatError, match=reason):
        ForestEngine(**fields | {name: np.array(values, np.int32) for name, values in change.items()})


def test_unknown_kinds_and_versions_are_refused(tmp_path: Path) -> None:
    """A gateway serves only what it knows how to compute."""
    linear().save(tmp_path / "engine")

    for kind, version, reason in [("onnx", 1, "unknown engine onnx 1"), ("forest", 2, "unknown engine forest 2")]:
        with pytest.raises(ModelFormatError, match=reason):
            load_engine(kind, version, tmp_path / "engine")
    with pytest.raises(ModelFormatError, match="holds linear 1, not forest 1"):
        load_engine("forest", 1, tmp_path / "engine")


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


@settings(deadline=None, max_examples=400)
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
