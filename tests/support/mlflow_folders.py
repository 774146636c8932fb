"""Models as MLflow has saved them (`tests/clients/mlflow/save_models.py`), a pipeline that they fit, and archives."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.pipeline import Pipeline

MODELS = Path(__file__).with_name("mlflow_models")
ANSWERS: dict[str, Any] = json.loads((MODELS / "answers.json").read_text())
"""A few rows, and what each original library answers to them."""

COLUMNS: dict[str, dict[str, Any]] = {
    "color": {"type": "category"},
    "count": {"type": "integer"},
    "score": {"type": "number"},
}


def files_of(name: str) -> dict[str, bytes]:
    """Return the files of a saved model's folder."""
    return {path.name: path.read_bytes() for path in (MODELS / name).iterdir()}


def archive(files: Mapping[str, bytes | tarfile.TarInfo], mode: str = "w") -> bytes:
    """Return a tar archive of files, or of whatever else stands under a name."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


def pipeline(kind: str = "regression", *, columns: Mapping[str, Any] | None = None, **more: Any) -> Pipeline:
    """Return a pipeline whose target ``y`` the models of a kind predict: regression, binary, multiclass."""
    target = {"regression": "number", "binary": "boolean", "multiclass": "category"}[kind]
    return Pipeline.model_validate(
        {
            "name": "imported",
            "task": "regression" if kind == "regression" else "classification",
            "target": "y",
            "data": {"columns": {**(COLUMNS if columns is None else columns), "y": {"type": target}}},
            "training": {"folds": 3, "trials": 0, "candidates": ["linear"]},
            **more,
        }
    )


def table(kind: str = "regression", rows: int = 300, seed: int = 7) -> pa.Table:
    """Return rows on which the models answer about right; ``color``, which none takes, is missing in some."""
    rng = np.random.default_rng(seed)
    count, score = rng.integers(-5, 50, rows), rng.normal(10.0, 4.0, rows)
    number = score * 2 + count**2 / 40
    levels = np.array(["low", "mid", "top"])[np.digitize(number, np.quantile(number, [0.33, 0.66]))]
    target: Any = {"regression": number, "binary": number > np.median(number), "multiclass": levels}[kind]
    color = pa.array(rng.choice(["red", "green"], rows), mask=rng.random(rows) < 0.2)
    return pa.table({"color": color, "count": pa.array(count), "score": pa.array(score), "y": pa.array(target)})
