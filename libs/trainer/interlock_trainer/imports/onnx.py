"""ONNX graphs over numbers: one matrix, or an input for each column, which are then cut from one matrix."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from interlock_contracts.mlmodel import MlflowModel
from interlock_modeling.engines import ModelFormatError, OnnxEngine
from interlock_modeling.engines.onnx import MAX_BYTES
from interlock_modeling.signature import Label, label_names
from numpy.typing import NDArray

from interlock_trainer.errors import DataError
from interlock_trainer.imports.original import Matrix, Original

_MATRIX = "interlock_matrix"
_ROWS = "interlock_rows"
_INITIALIZERS_ALONE = 4
"""The first version of the format in which an initializer need not be an input as well."""

_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
_NUMBERS = (
    *_FLOATS,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.INT64,
    onnx.TensorProto.INT32,
    onnx.TensorProto.BOOL,
)


def read(path: Path, about: MlflowModel, labels: list[Label] | None) -> Original:
    """Read a graph that gives a number, or the probabilities of ``labels`` in this order.

    Raises:
        DataError: it is no graph, or its inputs or outputs are not of a kind that is served.
    """
    model = _loaded(path, about)
    stored = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in stored]
    for each in inputs:
        _check_input(each)
    answers = _output_of(model.graph, labels)
    session = _session(model)
    single = len(inputs) == 1

    def answer(matrix: Matrix) -> Matrix:
        given = {each.name: _cut(matrix if single else matrix[:, [at]], each) for at, each in enumerate(inputs)}
        return answers.read(session.run([answers.name], given)[0])

    width = _width(inputs[0]) if single else len(inputs)
    names = None if single else [each.name for each in inputs]
    return Original(names, width, lambda wide: _engine(model, inputs, answers, wide), answer)


class _Output:
    """Where the answers stand: the graph's own ``name``, and the ``tensor`` that is served."""

    def __init__(self, name: str, tensor: str, read: Callable[[Any], Matrix]) -> None:
        self.name = name
        self.tensor = tensor
        self.read = read


def _loaded(path: Path, about: MlflowModel) -> onnx.ModelProto:
    try:
        model = onnx.load(path)  # with the files of its tensors, as far as they lie in the folder
    except Exception as error:  # its errors have no common base but this
        raise DataError(f"{about.file} is no ONNX graph with all its files: {str(error)[:300]}") from error
    if model.ByteSize() > MAX_BYTES:
        raise DataError(f"the graph has more than {MAX_BYTES >> 20} MB")
    return model


def _check_input(value: onnx.ValueInfoProto) -> None:
    tensor = value.type.tensor_type
    dims = tensor.shape.dim
    name = value.name
    if not value.type.HasField("tensor_type") or tensor.elem_type not in _NUMBERS:
        raise DataError(f"input {name!r} is no tensor of numbers or booleans; nothing else is mapped to columns")
    if len(dims) not in (1, 2):
        raise DataError(f"input {name!r} has {len(dims)} dimensions; a column has one, rows of columns have two")
    if dims[0].HasField("dim_value"):
        raise DataError(
            f"input {name!r} takes exactly {dims[0].dim_value} rows; export it with an open first dimension"
        )


def _width(value: onnx.ValueInfoProto) -> int | None:
    dims = value.type.tensor_type.shape.dim
    if len(dims) == 1:
        return 1
    return dims[1].dim_value if dims[1].HasField("dim_value") else None


def _cut(matrix: Matrix, value: onnx.ValueInfoProto) -> NDArray[Any]:
    """Return columns as the graph's own input takes them."""
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    with np.errstate(over="ignore", invalid="ignore"):
        cut = matrix.astype(dtype)
    return cut[:, 0] if len(value.type.tensor_type.shape.dim) == 1 else cut


def _output_of(graph: onnx.GraphProto, labels: list[Label] | None) -> _Output:
    """Return the one output of floats; the maps that some converters make of probabilities are undone."""
    if labels and (maps := _maps_of(graph, labels)):
        return maps
    floats = [
        each
        for each in graph.output
        if each.type.HasField("tensor_type") and each.type.tensor_type.elem_type in _FLOATS
    ]
    if len(floats) != 1:
        named = ", ".join(repr(each.name) for each in graph.output)
        wanted = "the probabilities of all labels" if labels else "the number that it predicts"
        raise DataError(f"of the outputs {named} exactly one must be a tensor of floats: {wanted}")

    def flat(found: Any) -> Matrix:
        answers: Matrix = found.astype(np.float64)
        return answers[:, 0] if answers.ndim > 1 and answers.shape[1] == 1 else answers

    return _Output(floats[0].name, floats[0].name, flat)


def _maps_of(graph: onnx.GraphProto, labels: list[Label]) -> _Output | None:
    """Return the output that is a map of probabilities for each row, and the tensor from which it is made."""
    maker = next((node for node in graph.node if node.op_type == "ZipMap"), None)
    if maker is None or maker.output[0] not in {each.name for each in graph.output}:
        return None
    keys = _keys(maker)
    _check_labels(keys, labels)
    return _Output(maker.output[0], maker.input[0], lambda rows: np.array([[row[key] for key in keys] for row in rows]))


def _keys(maker: onnx.NodeProto) -> list[Any]:
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in maker.attribute}
    texts = [each.decode() for each in attributes.get("classlabels_strings", [])]
    return texts or list(attributes.get("classlabels_int64s", []))


def _check_labels(keys: list[Any], labels: list[Label]) -> None:
    if keys != list(range(len(labels))) and [str(key) for key in keys] != label_names(labels):
        raise DataError(
            f"the model's classes are {', '.join(map(str, keys[:20]))}; expected are the labels "
            f"{', '.join(label_names(labels)[:20])}, or their places from 0"
        )


def _session(model: onnx.ModelProto) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base but this
        raise DataError(f"ONNX Runtime refuses the graph: {str(error)[:300]}") from error


def _engine(original: onnx.ModelProto, inputs: list[onnx.ValueInfoProto], answers: _Output, width: int) -> OnnxEngine:
    """Return the graph over one matrix [n, width], with one output."""
    model = copy.deepcopy(original)
    model.ir_version = max(model.ir_version, _INITIALIZERS_ALONE)
    graph = model.graph
    single = len(inputs) == 1
    matrix = onnx.helper.make_tensor_value_info(_MATRIX, onnx.TensorProto.DOUBLE, [_ROWS, width])
    nodes: list[onnx.NodeProto] = []
    for at, value in enumerate(inputs):
        nodes += _cutting(graph, value, None if single else at)
    nodes += [node for node in graph.node if node.op_type != "ZipMap" or node.input[0] != answers.tensor]
    kept = [each for each in graph.input if each.name not in {value.name for value in inputs}]
    made = next((each for each in graph.output if each.name == answers.tensor), None)
    output = made or onnx.ValueInfoProto(name=answers.tensor)  # its type follows from the node that makes it
    served = onnx.helper.make_graph(nodes, graph.name, [matrix, *kept], [output], list(graph.initializer))
    served.sparse_initializer.extend(graph.sparse_initializer)
    model.graph.CopyFrom(served)
    serialized = np.frombuffer(model.SerializeToString(), dtype=np.uint8)
    try:
        return OnnxEngine(serialized, output=answers.tensor, features=width)
    except ModelFormatError as error:
        raise DataError(f"the graph is not served: {error}") from error


def _cutting(graph: onnx.GraphProto, value: onnx.ValueInfoProto, at: int | None) -> list[onnx.NodeProto]:
    """Return the nodes that make an input of the matrix, or of its column ``at``."""
    tensor, stem = value.type.tensor_type, f"interlock_{at or 0}"
    nodes, cut = [], _MATRIX
    if at is not None:
        graph.initializer.append(onnx.helper.make_tensor(f"{stem}_at", onnx.TensorProto.INT64, [1], [at]))
        nodes.append(onnx.helper.make_node("Gather", [cut, f"{stem}_at"], [f"{stem}_column"], axis=1))
        cut = f"{stem}_column"
    if len(tensor.shape.dim) == 1:
        graph.initializer.append(onnx.helper.make_tensor(f"{stem}_flat", onnx.TensorProto.INT64, [1], [-1]))
        nodes.append(onnx.helper.make_node("Reshape", [cut, f"{stem}_flat"], [f"{stem}_list"]))
        cut = f"{stem}_list"
    nodes.append(onnx.helper.make_node("Cast", [cut], [value.name], to=tensor.elem_type))
    return nodes
