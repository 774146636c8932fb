from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from interlock_modeling.engines import ModelFormatError, OnnxEngine, load_engine
from interlock_modeling.engines import onnx as engine_module
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = np.array([[1.0, 2.0], [0.5, -1.0], [0.0, 3.0]])


def graph(
    *,
    weights: np.ndarray[Any, Any] = WEIGHTS,
    kind: int = TensorProto.DOUBLE,
    rows: str | int = "n",
    domain: str = "",
    opset: int = 18,
) -> onnx.ModelProto:
    """Return matrix @ weights, in the precision of ``kind``."""
    typed = weights.astype(np.float32 if kind == TensorProto.FLOAT else weights.dtype)
    nodes = [helper.make_node("MatMul", ["matrix", "weights"], ["answer"], domain=domain)]
    made = helper.make_graph(
        nodes,
        "product",
        [helper.make_tensor_value_info("matrix", kind, [rows, 3])],
        [helper.make_tensor_value_info("answer", kind, [rows, weights.shape[1]])],
        [numpy_helper.from_array(typed, "weights")],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid(domain, opset)], ir_version=9)


def engine(model: onnx.ModelProto | bytes, output: str = "answer", features: int = 3) -> OnnxEngine:
    serialized = model if isinstance(model, bytes) else model.SerializeToString()
    return OnnxEngine(np.frombuffer(serialized, np.uint8), output, features)


@pytest.mark.parametrize("rows", [1, 2, 20_000])
def test_a_graph_answers_any_number_of_rows(rows: int) -> None:
    """Many rows are asked in parts, so that their working memory stays small; the seams don't show."""
    matrix = np.random.default_rng(0).normal(size=(rows, 3))

    assert np.allclose(engine(graph()).predict(matrix), matrix @ WEIGHTS, rtol=1e-13)


def test_one_output_column_is_a_prediction() -> None:
    """Libraries give regressions as a column; metrics and answers take plain numbers."""
    assert engine(graph(weights=WEIGHTS[:, :1])).predict(np.eye(3)).tolist() == [1.0, 0.5, 0.0]


def test_a_graph_in_float32_gets_float32_and_answers_float64() -> None:
    """Users' own graphs are often float32; what is too large for it is infinite, and no warning."""
    answers = engine(graph(kind=TensorProto.FLOAT)).predict(np.array([[1.0, 2.0, 0.0], [1e300, 0.0, 0.0]]))

    assert answers.dtype == np.float64
    assert answers.tolist()[0] == [2.0, 0.0]
    assert not np.isfinite(answers[1]).all()


def test_a_stored_graph_answers_like_the_original(tmp_path: Path) -> None:
    """It lies in an engine file, as every engine does."""
    original = engine(graph())
    original.save(tmp_path / "engine")

    loaded = load_engine("onnx", 1, tmp_path / "engine")

    assert loaded.features == 3
    assert loaded.predict(np.eye(3)).tobytes() == original.predict(np.eye(3)).tobytes()


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (b"\xff\xfe not a graph", "not an ONNX graph"),
        (graph(domain="com.example"), "opset com.example 18"),
        (graph(opset=99), "opset ai.onnx 99"),
        (graph(rows=1), "any number of rows of 3 columns"),
        (graph(kind=TensorProto.INT64, weights=WEIGHTS.astype(np.int64)), "one matrix of floats"),
        (graph(weights=np.ones((2, 2))), "ONNX Runtime refuses"),
    ],
)
def test_graphs_that_could_not_be_served_are_refused(model: onnx.ModelProto | bytes, reason: str) -> None:
    """Whatever a gateway would stumble over at the first request is found when it loads."""
    with pytest.raises(ModelFormatError, match=reason):
        engine(model)


def test_a_graph_of_another_width_or_output_is_refused() -> None:
    """What the description says of the graph must hold."""
    with pytest.raises(ModelFormatError, match="of 4 columns"):
        engine(graph(), features=4)
    with pytest.raises(ModelFormatError, match="no output 'label'"):
        engine(graph(), output="label")


@pytest.mark.parametrize("nested", [False, True])
def test_a_graph_that_names_files_is_refused(nested: bool) -> None:
    """Numbers in a file of their own would be read from wherever the graph says, also inside of a branch."""
    model = graph()
    outside = numpy_helper.from_array(WEIGHTS, "outside")
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="/etc/hostname")
    if nested:
        branch = helper.make_graph([], "branch", [], [], [outside])
        model.graph.node.append(helper.make_node("If", ["which"], ["out"], then_branch=branch, else_branch=branch))
    else:
        model.graph.initializer.append(outside)

    with pytest.raises(ModelFormatError, match="keeps its numbers in itself"):
        engine(model)


def test_a_graph_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is parsed."""
    monkeypatch.setattr(engine_module, "MAX_BYTES", 100)

    with pytest.raises(ModelFormatError, match="more than"):
        engine(graph())
