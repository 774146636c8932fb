"""Everything that is neither trees nor linear: an ONNX graph over the encoder's matrix, run by ONNX Runtime.

The graph is the estimator alone, as a rule in float64; what makes numbers of cells stands before it. Its bytes lie in
an engine file like any other. Both libraries are imported where such a model is loaded.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from interlock_modeling.engines.flat_file import ModelFormatError, StoredFile, write_arrays
from interlock_modeling.signature import Part

MAX_BYTES = 64 << 20
"""Larger graphs would be parsed for seconds."""

NEWEST_OPSETS = {"": 23, "ai.onnx.ml": 5}
"""Operator sets that a graph may use, each up to this version; others hold whatever a library adds."""

_ROWS_AT_ONCE = 1 << 14
_INPUTS = {"tensor(double)": np.float64, "tensor(float)": np.float32}


class _Attributes(Part):
    output: str
    features: int


@dataclass(frozen=True)
class OnnxEngine:
    """A serialized graph with one input [n, features], and the name of its output: [n], [n, 1], or [n, k].

    Raises:
        ModelFormatError: the graph is too large, broken, asks for files or foreign operators, or is of another shape.
    """

    kind: ClassVar[str] = "onnx"
    version: ClassVar[int] = 1

    model: NDArray[np.uint8]
    output: str
    features: int
    _run: Any = field(init=False, repr=False, compare=False)
    _outputs: list[str] = field(init=False, repr=False, compare=False)
    _input: str = field(init=False, repr=False, compare=False)
    _dtype: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _require(self.model.nbytes <= MAX_BYTES, f"a graph of more than {MAX_BYTES >> 20} MB")
        session = _session(self.model.tobytes())
        inputs = session.get_inputs()
        _require(len(inputs) == 1 and inputs[0].type in _INPUTS, "the graph does not take one matrix of floats")
        shape = inputs[0].shape
        fits = len(shape) == 2 and not isinstance(shape[0], int) and shape[1] == self.features  # noqa: PLR2004
        _require(fits, f"the graph does not take any number of rows of {self.features} columns")
        _require(self.output in {output.name for output in session.get_outputs()}, f"no output {self.output!r}")
        for name, value in (
            ("_run", session.run),
            ("_outputs", [self.output]),
            ("_input", inputs[0].name),
            ("_dtype", _INPUTS[inputs[0].type]),
        ):
            object.__setattr__(self, name, value)

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions [n], or class probabilities [n, k], for a matrix [n, features]."""
        if len(matrix) <= _ROWS_AT_ONCE:
            return self._answers(matrix)
        starts = range(0, len(matrix), _ROWS_AT_ONCE)
        return np.concatenate([self._answers(matrix[start : start + _ROWS_AT_ONCE]) for start in starts])

    def _answers(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._dtype is not np.float64:
            with np.errstate(over="ignore"):
                matrix = matrix.astype(self._dtype)
        answers: NDArray[np.float64] = self._run(self._outputs, {self._input: matrix})[0].astype(np.float64, copy=False)
        return answers[:, 0] if answers.ndim > 1 and answers.shape[1] == 1 else answers

    def save(self, path: Path) -> None:
        attributes = {"output": self.output, "features": self.features}
        write_arrays(path, self.kind, self.version, attributes, {"model": self.model})

    @classmethod
    def load(cls, stored: StoredFile) -> Self:
        """Use a mapped file; the session copies the weights.

        Raises:
            ModelFormatError: the file does not hold a graph that is served.
        """
        try:
            attributes = _Attributes.model_validate(stored.attributes)
            model = stored.arrays["model"]
        except (KeyError, ValidationError) as error:
            raise ModelFormatError(f"not an ONNX engine: {error}") from error
        _require(model.dtype == np.uint8 and model.ndim == 1, "the graph is not stored as bytes")
        return cls(model, attributes.output, attributes.features)


def _session(serialized: bytes) -> Any:
    """Return a session of one thread that waits without spinning: a gateway's workers are its parallelism."""
    import onnx  # noqa: PLC0415 - a tenth of a second, for the few services that load such a model
    import onnxruntime  # noqa: PLC0415

    try:
        model = onnx.load_model_from_string(serialized)
    except Exception as error:
        raise ModelFormatError(f"not an ONNX graph: {error}") from error
    for opset in model.opset_import:
        domain = "" if opset.domain == "ai.onnx" else opset.domain
        _require(opset.version <= NEWEST_OPSETS.get(domain, -math.inf), f"opset {domain or 'ai.onnx'} {opset.version}")
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    tensors = [*model.graph.initializer, *_tensors(nodes)]
    inside = not any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors)
    _require(inside and not model.graph.sparse_initializer, "a graph keeps its numbers in itself, in plain tensors")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(serialized, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base but this
        raise ModelFormatError(f"ONNX Runtime refuses the graph: {error}") from error


def _tensors(nodes: Any) -> Iterator[Any]:
    """Yield the tensors that nodes hold, those of branches and loops included."""
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for graph in (attribute.g, *attribute.graphs):
                yield from graph.initializer
                yield from _tensors(graph.node)


def _require(holds: bool, text: str) -> None:  # noqa: FBT001
    if not holds:
        raise ModelFormatError(text)
