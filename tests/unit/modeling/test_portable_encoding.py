"""Moments become numbers in a graph as they do in the encoder, from the year 1 to the year 9999."""

import numpy as np
import onnx
import onnxruntime
import pytest
from interlock_modeling import cells
from interlock_modeling.encoder import CategoryColumn, Encoder, NumericColumn, Scaled
from interlock_modeling.engines import ForestEngine
from interlock_modeling.engines.forest_nodes import Splits, pack
from interlock_modeling.portable.encoding import MISSING_MOMENT, add_encoder, missing_text
from interlock_modeling.portable.graph import Graph
from interlock_modeling.portable.onnx_model import to_onnx
from interlock_modeling.served import EngineRef, ModelDescription
from interlock_modeling.signature import Feature, ModelSignature
from interlock_tables.spellings import FIRST_MICROSECOND, LAST_MICROSECOND
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tests.support.stored_models import CLASSIFICATION, ENCODER, MANIFEST, REGRESSION

AT = ModelSignature(
    task="regression", target="y", target_type="number", features=[Feature(name="at", type="datetime", nullable=True)]
)


def numbers_of(moments: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the matrix that a graph makes of moments."""
    encoder = Encoder(columns=[NumericColumn(kind="datetime", name="at", numbers=[Scaled(fill=-1.0)] * 4)])
    graph = Graph(["at"])
    matrix = add_encoder(graph, AT, encoder)
    given = helper.make_tensor_value_info("at", TensorProto.INT64, ["rows", 1])
    model = graph.model("encoder", [given], [helper.make_tensor_value_info(matrix, TensorProto.DOUBLE, ["rows", 4])])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: NDArray[np.float64] = session.run(None, {"at": moments[:, None]})[0]
    return found


def test_every_day_has_its_month_and_weekday() -> None:
    """At its first and its last microsecond, so before 1970 as well, and on every 29 February."""
    day = 86_400_000_000
    starts = np.arange(FIRST_MICROSECOND, LAST_MICROSECOND, day, dtype=np.int64)
    moments = np.concatenate((starts, starts + day - 1, [LAST_MICROSECOND, 0, -1]))

    assert np.array_equal(numbers_of(moments), cells.datetime_numbers(moments.view("datetime64[us]")))


def test_a_missing_moment_is_filled() -> None:
    """By the lowest integer, as a moment that is none is stored."""
    assert np.datetime64("NaT", "us").astype(np.int64) == MISSING_MOMENT
    assert numbers_of(np.array([MISSING_MOMENT])).tolist() == [[-1.0] * 4]


@pytest.mark.parametrize(
    ("null_values", "known", "text"),
    [
        (["", "NA"], ["a"], ""),
        (None, ["a"], "<missing>"),
        (["NA"], ["a", ""], "<missing>"),
        (["NA"], ["<missing>"], "<missing><missing>"),
    ],
)
def test_no_category_is_taken_for_a_missing_cell(null_values: list[str] | None, known: list[str], text: str) -> None:
    """An empty text counts as missing only where it did in the training files."""
    signature = REGRESSION.model_copy(update={"null_values": null_values})
    column = CategoryColumn(name="color", values=list(known), fill=known[0])

    assert missing_text(signature, column) == text


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("roots", [[0, 3], [0]])
def test_trees_of_a_single_leaf_are_exported(width: int, roots: list[int]) -> None:
    """Beside others, and where there are no others; ONNX's own check takes the graph."""
    ahead = np.array([1, 0, 0, 0] if len(roots) > 1 else [0])
    feature, threshold = np.zeros(len(ahead), dtype=np.int64), np.full(len(ahead), 2.5)
    value = np.array([[0.25, 0.75], [0.5, 0.5], [0.125, 0.875]])[: 3 if len(roots) > 1 else 1, :width]
    engine = ForestEngine(
        nodes=pack(Splits(ahead, feature, threshold), 3, single=True),
        roots=np.array(roots, dtype=np.uint64),
        output=np.zeros(len(roots), dtype=np.int64),
        value=np.ascontiguousarray(value),
        base=np.zeros(width),
        scale=1 / len(roots),
        link="identity",
        features=3,
        precision="float32",
    )
    signature = REGRESSION if width == 1 else CLASSIFICATION
    ref = EngineRef(kind="forest", version=2, ref=MANIFEST)
    model = to_onnx(
        ModelDescription(signature=signature, encoder=ENCODER, engine=ref), engine, model="flights", version=1
    )
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = {"size": np.array([[1.0], [3.0]]), "color": np.array([["red"], ["green"]], dtype=object)}
    found = session.run(["prediction" if width == 1 else "probabilities"], given)[0]

    expected = engine.predict(
        ENCODER.encode_rows(signature, [{"size": 1, "color": "red"}, {"size": 3, "color": "green"}])[0]
    )
    assert np.array_equal(found, expected)
