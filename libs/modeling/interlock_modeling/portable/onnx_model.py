"""A model as one ONNX graph, with its encoder within, and the signature that describes its inputs."""

import json
from typing import Any

import onnx
from onnx import TensorProto, helper

from interlock_modeling.encoder import CategoryColumn, NumericColumn
from interlock_modeling.engines import Engine
from interlock_modeling.portable.answers import add_answers, add_engine
from interlock_modeling.portable.encoding import MISSING_MOMENT, add_encoder, missing_text, tensor_type
from interlock_modeling.portable.graph import Graph
from interlock_modeling.served import ModelDescription
from interlock_modeling.signature import Feature, ModelSignature

_NAMES: dict[int, str] = {TensorProto.DOUBLE: "double", TensorProto.INT64: "int64", TensorProto.STRING: "string"}
_ROWS = "rows"


def to_onnx(description: ModelDescription, engine: Engine, *, model: str, version: int) -> onnx.ModelProto:
    """Return the graph: a tensor [rows, 1] for each feature goes in, answers in the target's own unit come out.

    Its metadata hold the signature as ``interlock.signature``. How cells become tensors is in ``encoding``.

    Raises:
        ValueError: the engine is of a kind or shape that is not exported.
    """
    signature, encoder = description.signature, description.encoder
    graph = Graph(column.name for column in encoder.columns)
    outputs = add_answers(graph, signature, add_engine(graph, engine, add_encoder(graph, signature, encoder)))
    inputs = [helper.make_tensor_value_info(c.name, tensor_type(c), [_ROWS, 1]) for c in encoder.columns]
    made = graph.model(model, inputs, [_output(signature, kind, name) for kind, name in outputs.items()])
    stated = _stated(description, outputs, model=model, version=version)
    helper.set_model_props(made, {"interlock.signature": json.dumps(stated)})
    return made


def signature_of(model: onnx.ModelProto) -> dict[str, Any]:
    """Return the signature that an exported graph carries."""
    found = {each.key: each.value for each in model.metadata_props}
    stated: dict[str, Any] = json.loads(found["interlock.signature"])
    return stated


def _output(signature: ModelSignature, kind: str, name: str) -> onnx.ValueInfoProto:
    if kind != "label":
        classes = [] if signature.labels is None else [len(signature.labels)]
        return helper.make_tensor_value_info(name, TensorProto.DOUBLE, [_ROWS, *classes])
    types = {bool: TensorProto.BOOL, int: TensorProto.INT64, str: TensorProto.STRING}
    assert signature.labels is not None
    return helper.make_tensor_value_info(name, types[type(signature.labels[0])], [_ROWS])


def _stated(description: ModelDescription, outputs: dict[str, str], *, model: str, version: int) -> dict[str, Any]:
    signature = description.signature
    columns = zip(signature.features, description.encoder.columns, strict=True)
    return {
        "format": 1,
        "model": model,
        "version": version,
        "task": signature.task,
        "target": signature.target,
        "inputs": [_input(signature, feature, column) for feature, column in columns],
        "outputs": outputs,
        "labels": signature.labels,
        "threshold": signature.threshold,
        "transform": signature.transform,
        "null_values": signature.null_values,
        "decimal": signature.decimal,
        "thousands": signature.thousands,
        "key": signature.key,
        "ignored": signature.ignored,
    }


def _input(signature: ModelSignature, feature: Feature, column: NumericColumn | CategoryColumn) -> dict[str, Any]:
    tensor = _NAMES[tensor_type(column)]
    missing: Any = {"double": "NaN", "int64": MISSING_MOMENT}.get(tensor)
    stated = {
        "name": feature.name,
        "type": feature.type,
        "tensor": tensor,
        "missing": missing_text(signature, column) if isinstance(column, CategoryColumn) else missing,
        "nullable": feature.nullable,
        "optional": feature.optional,
        "format": feature.format,
    }
    if isinstance(column, CategoryColumn):
        stated["categories"] = [value for value in column.values if value is not None]
    return stated
