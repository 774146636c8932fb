"""Output tensors of the Open Inference Protocol: predictions, a classification's probabilities, columns of the key."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from interlock_modeling.served import Predictions
from interlock_modeling.signature import ModelSignature
from numpy.typing import NDArray

from interlock_gateway.protocols.tensors import BYTES, Tensor, TensorError, key_values

PREDICTION = "prediction"
PROBABILITIES = "probabilities"
LABELS = "labels"
"""A parameter of the probabilities, and a property of the model: its labels as a JSON list, in a text."""

_TYPES = {"FP64": np.float64, "BOOL": np.bool_, "INT64": np.int64}


@dataclass(frozen=True, slots=True)
class Output:
    """An output tensor; ``values`` is flat, or [n, k] for probabilities, and a list where the type is BYTES."""

    name: str
    datatype: str
    shape: list[int]
    values: NDArray[Any] | list[str]
    parameters: dict[str, str] = field(default_factory=dict)

    def plain(self) -> list[Any]:
        """Return the values as JSON has them, in row-major order."""
        return self.values if isinstance(self.values, list) else self.values.ravel().tolist()

    def raw(self) -> bytes:
        """Return the values as the binary extension has them: little endian, each text after its length."""
        if isinstance(self.values, list):
            texts = [text.encode() for text in self.values]
            return b"".join(part for text in texts for part in (len(text).to_bytes(4, "little"), text))
        return self.values.astype(self.values.dtype.newbyteorder("<"), copy=False).tobytes()


def output_names(signature: ModelSignature) -> list[str]:
    return [PREDICTION] if signature.labels is None else [PREDICTION, PROBABILITIES]


def prediction_type(signature: ModelSignature) -> str:
    """Return the datatype of the predictions."""
    kinds = set(map(type, signature.labels)) if signature.labels is not None else {float}
    return {float: "FP64", bool: "BOOL", int: "INT64"}.get(kinds.pop(), BYTES) if len(kinds) == 1 else BYTES


def key_output(tensor: Tensor, rows: int) -> Output:
    """Return a column of the key, as it was sent beside ``rows`` rows.

    Raises:
        TensorError: it does not hold what its type says.
    """
    return Output(tensor.name, tensor.datatype, [rows], key_values(tensor, rows))


def output_of(signature: ModelSignature, predictions: Predictions, name: str) -> Output:
    """Return the output of this name.

    Raises:
        TensorError: the model gives no such output.
    """
    rows = len(predictions.scores)
    if name == PREDICTION:
        datatype = prediction_type(signature)
        if datatype == BYTES:
            texts = [each if isinstance(each, str) else json.dumps(each) for each in predictions.values]
            return Output(name, datatype, [rows], texts)
        return Output(name, datatype, [rows], np.asarray(predictions.values, _TYPES[datatype]))
    probabilities = predictions.probabilities if name == PROBABILITIES else None
    if probabilities is None:
        raise TensorError(f"there is no output {name[:60]!r}; the model gives {', '.join(output_names(signature))}")
    labels = {LABELS: json.dumps(signature.labels, ensure_ascii=False)}
    return Output(name, "FP64", list(probabilities.shape), np.asarray(probabilities, np.float64), labels)
