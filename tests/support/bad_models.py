"""Models that must never serve: each stored, promoted and signed like any other, and bad in one way of its own."""

from collections.abc import Callable
from uuid import uuid4

import numpy as np
import onnx
from interlock_artifacts import ArtifactStore
from interlock_contracts.refs import ArtifactRef, ModelRef
from interlock_modeling import ModelDescription
from interlock_modeling.engines import OnnxEngine
from onnx import TensorProto, helper, numpy_helper

from tests.support.stored_models import REGRESSION, put, put_model

Bad = Callable[[ArtifactStore, str], ModelRef]
"""Stores version 2 of a model, and returns what a promotion of it would name."""


def described(store: ArtifactStore, ref: ModelRef) -> ModelDescription:
    return ModelDescription.parse(store.fetch(ref.artifact))


def named(store: ArtifactStore, ref: ModelRef, description: ModelDescription) -> ModelRef:
    """Return a reference to another description."""
    artifact = store.put(description.model_dump_json().encode())
    return ref.model_copy(update={"artifact": artifact})


def truncated(store: ArtifactStore, model: str) -> ModelRef:
    """Store an engine whose last bytes have been lost."""
    ref = put_model(store, 2, model=model, intercept=2000.0 + uuid4().int % 997 / 1000)
    engine = described(store, ref).engine.ref
    store.put_latest(engine.key, store.fetch(engine)[:-10])
    return ref


def missing(store: ArtifactStore, model: str) -> ModelRef:
    """Name an artifact that nobody has stored."""
    return put_model(store, 2, model=model).model_copy(update={"artifact": ArtifactRef(sha256="e" * 64, bytes=10)})


def no_description(store: ArtifactStore, model: str) -> ModelRef:
    """Store something else under the artifact's name."""
    return put_model(store, 2, model=model).model_copy(update={"artifact": store.put(b"\x80\x04pickle")})


def of_the_future(store: ArtifactStore, model: str) -> ModelRef:
    """Store an engine of a version that nobody here knows."""
    ref = put_model(store, 2, model=model)
    description = described(store, ref)
    engine = description.engine.model_copy(update={"version": 99})
    return named(store, ref, description.model_copy(update={"engine": engine}))


def of_another_schema(store: ArtifactStore, model: str) -> ModelRef:
    """Store a description whose columns are not those of its encoder and its engine."""
    ref = put_model(store, 2, model=model)
    description = described(store, ref)
    fewer = REGRESSION.model_copy(update={"features": REGRESSION.features[:1]})
    return named(store, ref, description.model_copy(update={"signature": fewer}))


def _onnx(store: ArtifactStore, model: str, nodes: list[onnx.NodeProto], *tensors: onnx.TensorProto) -> ModelRef:
    made = helper.make_graph(
        nodes,
        "bad",
        [helper.make_tensor_value_info("matrix", TensorProto.DOUBLE, ["n", 3])],
        [helper.make_tensor_value_info("answer", TensorProto.DOUBLE, ["n", 1])],
        [numpy_helper.from_array(np.array([[1.0], [0.0], [0.0]]), "weights"), *tensors],
    )
    graph = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    engine = OnnxEngine(np.frombuffer(graph.SerializeToString(), np.uint8), "answer", 3)
    return put(store, REGRESSION, engine, version=2, model=model)


def endless(store: ArtifactStore, model: str) -> ModelRef:
    """Store a graph that counts for longer than anybody waits."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Add", ["before", "before"], ["after"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.DOUBLE, ["n", 1]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.DOUBLE, ["n", 1]),
        ],
    )
    nodes = [
        helper.make_node("MatMul", ["matrix", "weights"], ["start"]),
        helper.make_node("Loop", ["times", "true", "start"], ["answer"], body=body),
    ]
    # Other bytes each time: workers of a host share a refusal for a moment.
    times = numpy_helper.from_array(np.array(2**62 + uuid4().int % 2**32, np.int64), "times")
    return _onnx(store, model, nodes, times, numpy_helper.from_array(np.array(True), "true"))


def greedy(store: ArtifactStore, model: str) -> ModelRef:
    """Store a graph that asks for 8 GB to answer one row."""
    nodes = [
        helper.make_node("Shape", ["matrix"], ["shape"]),
        helper.make_node("Mul", ["shape", "many"], ["large"]),
        helper.make_node("ConstantOfShape", ["large"], ["memory"]),
        helper.make_node("ReduceSum", ["memory"], ["sum"], keepdims=0),
        helper.make_node("CastLike", ["sum", "matrix"], ["extra"]),
        helper.make_node("MatMul", ["matrix", "weights"], ["start"]),
        helper.make_node("Add", ["start", "extra"], ["answer"]),
    ]
    return _onnx(store, model, nodes, numpy_helper.from_array(np.array([2**16, 2**14]), "many"))


TABLE: dict[str, tuple[Bad, str]] = {
    "truncated": (truncated, "CorruptArtifactError"),
    "missing": (missing, "MissingArtifactError"),
    "no description": (no_description, "ModelFormatError: the model description is not understood"),
    "an engine of the future": (of_the_future, "ModelFormatError: unknown engine linear 99"),
    "another schema": (of_another_schema, "do not name the same features"),
    "endless": (endless, "takes longer than"),
    "greedy": (greedy, "RefusedModelError"),
}
"""Each with words of the reason that is told."""
