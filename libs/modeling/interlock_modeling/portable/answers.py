"""The engines as nodes of a graph: from the matrix to predictions, or to the probabilities of labels."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto

from interlock_modeling.engines import Engine, ForestEngine, LinearEngine, MedianForestEngine, OnnxEngine
from interlock_modeling.engines.forest_nodes import unpack
from interlock_modeling.engines.links import LEAST, Link
from interlock_modeling.portable.graph import ML, Graph
from interlock_modeling.signature import ModelSignature


def add_engine(graph: Graph, engine: Engine, matrix: str) -> str:
    """Add what gives answers [rows, 1], or probabilities [rows, k]; an embedded graph may leave the 1 out.

    Raises:
        ValueError: the engine is of a kind or shape that is not exported.
    """
    if isinstance(engine, LinearEngine):
        product = graph.add("MatMul", matrix, graph.numbers(engine.coefficients.T))
        return _linked(graph, engine.link, graph.add("Add", product, graph.numbers(engine.intercepts[None, :])))
    if isinstance(engine, ForestEngine):
        return _forest(graph, engine, matrix)
    if isinstance(engine, MedianForestEngine):
        return _weighted_median(graph, _forest(graph, engine.forest, matrix), engine.weights)
    if isinstance(engine, OnnxEngine):
        return _embedded(graph, engine, matrix)
    raise ValueError(f"an engine of kind {engine.kind} is not exported")


def add_answers(graph: Graph, signature: ModelSignature, answers: str) -> dict[str, str]:
    """Add the outputs, and return their names: ``prediction``, or ``label`` and ``probabilities``."""
    if signature.labels is None:
        numbers = graph.add("Reshape", answers, graph.integers([-1]))
        if signature.transform is not None:
            numbers = _INVERSES[signature.transform](graph, numbers)
        return {"prediction": graph.add("Identity", numbers, output=graph.name("prediction"))}
    texts = isinstance(signature.labels[0], str)
    labels = graph.constant(np.array(signature.labels, dtype=object if texts else None))
    return {
        "label": graph.add("Gather", labels, _decided(graph, signature, answers), output=graph.name("label")),
        "probabilities": graph.add("Identity", answers, output=graph.name("probabilities")),
    }


def _decided(graph: Graph, signature: ModelSignature, answers: str) -> str:
    """Add what ``decide`` does to probabilities [rows, k]: the place [rows] of the predicted label."""
    if signature.threshold is None:
        return graph.add("ArgMax", answers, axis=1, keepdims=0)
    positive = graph.add("Gather", answers, graph.integers(1), axis=1)
    reached = graph.add("GreaterOrEqual", positive, graph.numbers(signature.threshold))
    return graph.cast(reached, TensorProto.INT64)


_INVERSES: dict[str, Callable[[Graph, str], str]] = {
    "log": lambda graph, numbers: graph.add("Exp", numbers),
    "log1p": lambda graph, numbers: graph.add("Sub", graph.add("Exp", numbers), graph.numbers(1.0)),
}


def _linked(graph: Graph, link: Link, raw: str) -> str:
    """Add what ``apply_link`` does to raw sums [rows, outputs]."""
    if link == "softmax":
        return graph.add("Softmax", raw, axis=1)
    if link == "identity":
        return raw
    one = graph.numbers(1.0)
    power = graph.add("Exp", graph.add("Neg", graph.add("Max", raw, graph.numbers(LEAST))))
    positive = graph.add("Div", one, graph.add("Add", one, power))
    return graph.add("Concat", graph.add("Sub", one, positive), positive, axis=1)


def _forest(graph: Graph, engine: ForestEngine, matrix: str) -> str:
    if engine.precision == "float32":
        matrix = graph.cast(graph.cast(matrix, TensorProto.FLOAT), TensorProto.DOUBLE)
    scaled = graph.add("Mul", _trees(graph, engine, matrix), graph.numbers(engine.scale))
    return _linked(graph, engine.link, graph.add("Add", scaled, graph.numbers(engine.base[None, :])))


def _weighted_median(graph: Graph, answers: str, weights: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> str:
    """Add what ``MedianForestEngine`` does to the trees' answers [rows, trees]; gives [rows, 1]."""
    ordered, order = graph.sort(answers, len(weights))
    upto = graph.add("CumSum", graph.add("Gather", graph.numbers(weights), order), graph.integers(1))
    whole = graph.add("Gather", upto, graph.integers([len(weights) - 1]), axis=1)
    reached = graph.add("GreaterOrEqual", upto, graph.add("Mul", whole, graph.numbers(0.5)))
    middle = graph.add("ArgMax", graph.cast(reached, TensorProto.INT64), axis=1, keepdims=1)
    return graph.add("GatherElements", ordered, middle, axis=1)


def _trees(graph: Graph, engine: ForestEngine, matrix: str) -> str:
    """Add what walks the trees, and return their sums [rows, outputs].

    A leaf of ONNX's has one value. So where leaves have several, each tree gives the number of its leaf, by which the
    values are then gathered.

    Raises:
        ValueError: leaves of several values do not have one for each output.
    """
    several = engine.value.shape[1] > 1
    if several and (engine.value.shape[1] != len(engine.base) or engine.output.any()):
        raise ValueError("leaves with values for some of the outputs are not exported")
    splits = unpack(engine.nodes)
    leaf = splits.ahead == 0
    number = np.where(leaf, np.cumsum(leaf), np.cumsum(~leaf)) - 1
    inner = np.flatnonzero(~leaf)
    left = inner + splits.ahead[inner]
    roots = engine.roots.astype(np.int64)
    tree_of_leaf = np.searchsorted(roots, np.flatnonzero(leaf), side="right") - 1
    stumps = roots[leaf[roots]]  # a tree that is a leaf: ONNX wants a node, of which both ways lead there
    root_numbers = number[roots]
    root_numbers[leaf[roots]] = len(inner) + np.arange(len(stumps))

    def children(nodes: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> dict[str, list[int]]:
        ends = np.concatenate((nodes, stumps))
        return {"nodeids": number[ends].tolist(), "leafs": leaf[ends].astype(np.int64).tolist()}

    true, false = children(left), children(left + 1)
    nodes = len(inner) + len(stumps)
    weights = np.arange(leaf.sum()) if several else engine.value[:, 0]
    found = graph.add(
        "TreeEnsemble",
        matrix,
        domain=ML,
        aggregate_function=1,  # the sum
        post_transform=0,
        n_targets=len(roots) if several else len(engine.base),
        tree_roots=root_numbers.tolist(),
        nodes_featureids=[*splits.feature[inner].tolist(), *[0] * len(stumps)],
        nodes_splits=_tensor(np.concatenate((splits.threshold[inner], np.zeros(len(stumps))))),
        nodes_modes=_tensor(np.zeros(nodes, dtype=np.uint8)),  # BRANCH_LEQ
        nodes_truenodeids=true["nodeids"],
        nodes_trueleafs=true["leafs"],
        nodes_falsenodeids=false["nodeids"],
        nodes_falseleafs=false["leafs"],
        leaf_targetids=(tree_of_leaf if several else engine.output[tree_of_leaf]).tolist(),
        leaf_weights=_tensor(weights.astype(np.float64)),
    )
    if not several:
        return found
    leaves = graph.add("Gather", graph.numbers(engine.value), graph.cast(found, TensorProto.INT64))
    return graph.add("ReduceSum", leaves, graph.integers([1]), keepdims=0)


def _tensor(values: "np.ndarray[tuple[int], np.dtype[np.float64 | np.uint8]]") -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(values)


def _embedded(graph: Graph, engine: OnnxEngine, matrix: str) -> str:
    model = onnx.load_model_from_string(engine.model.tobytes())
    single = model.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    given = graph.cast(matrix, TensorProto.FLOAT) if single else matrix
    return graph.cast(graph.embed(model, given, engine.output), TensorProto.DOUBLE)
