"""What every peer serves: the reference models, through scikit-learn as it was fitted, or through ONNX Runtime.

Runs in each peer's own environment. ``BENCH_MODELS`` is the folder that ``reference.py`` filled, ``BENCH_ENGINE`` is
``sklearn`` or ``onnx``.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(os.environ["BENCH_MODELS"])
ENGINE = os.environ["BENCH_ENGINE"]
MODELS = ("forest", "xgboost", "linear")

Row = dict[str, Any]


class Sklearn:
    """A pickled pipeline over a pandas frame: what most of the field's tutorials end with."""

    def __init__(self, name: str) -> None:
        import joblib  # noqa: PLC0415 - the other variant never loads it

        self._pipeline = joblib.load(FOLDER / f"{name}.joblib")

    def predict(self, rows: list[Row]) -> list[float]:
        import pandas as pd  # noqa: PLC0415

        return [float(value) for value in self._pipeline.predict(pd.DataFrame(rows))]


class Onnx:
    """The estimator in ONNX Runtime, preceded by a dictionary look-up and a scaling in plain Python.

    That is the fastest sane way: the whole pipeline in one graph was twice as slow, and wrong at split thresholds.
    """

    def __init__(self, name: str) -> None:
        import onnxruntime  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(FOLDER / f"{name}.onnx", options, ["CPUExecutionProvider"])
        described = json.loads((FOLDER / "encoding.json").read_text())
        self._categories = [(each["name"], each["positions"]) for each in described["categories"]]
        self._numbers = [(each["name"], each["at"], each["mean"], each["scale"]) for each in described["numbers"]]
        self._width = described["width"]

    def predict(self, rows: list[Row]) -> list[float]:
        matrix = np.zeros((len(rows), self._width), np.float32)
        for cells, row in zip(matrix, rows, strict=True):
            for name, positions in self._categories:
                cells[positions[row[name]]] = 1.0
            for name, at, mean, scale in self._numbers:
                cells[at] = (row[name] - mean) / scale
        (values,) = self._session.run(None, {"x": matrix})
        return values.ravel().tolist()  # type: ignore[no-any-return]


def load(name: str) -> Sklearn | Onnx:
    """Return one of the reference models, ready to answer."""
    return Sklearn(name) if ENGINE == "sklearn" else Onnx(name)


def load_all() -> dict[str, Sklearn | Onnx]:
    """Return all reference models by name."""
    return {name: load(name) for name in MODELS}
