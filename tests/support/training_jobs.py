"""A small table with every column type, and jobs that train on it."""

import io
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from interlock_artifacts import ArtifactStore
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import DatasetRef
from interlock_contracts.training import TrainingJob
from interlock_modeling.split import ROW_COLUMN
from interlock_tables.typed import ARROW_TYPES

RUN = UUID("11111111-2222-3333-4444-555555555555")

FEATURES = {
    "score": {"type": "number"},
    "count": {"type": "integer"},
    "open": {"type": "boolean"},
    "color": {"type": "category"},
    "shape": {"type": "category"},
    "at": {"type": "datetime"},
}

TARGETS: dict[str, dict[str, Any]] = {
    "regression": {"type": "number"},
    "binary": {"type": "boolean"},
    "multiclass": {"type": "category"},
}


def table(kind: str = "regression", rows: int = 240, seed: int = 3) -> pa.Table:
    """Return rows whose target ``y`` follows from the features; whole-number scores, so that many lie on splits.

    ``color`` is never missing, the other features are in one cell of ten.
    """
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 40, rows).astype(np.float64)
    color = rng.choice(["red", "green", "blue"], rows)
    opened = rng.random(rows) < 0.5
    signal = score + 10.0 * (color == "red") + 5.0 * opened + rng.normal(0, 2.0, rows)
    micros = 1_600_000_000_000_000 + rng.integers(0, 10**14, rows)
    columns = {
        "score": pa.array(score, mask=_some(rng, rows)),
        "count": pa.array(rng.integers(-5, 1_000_000, rows), mask=_some(rng, rows)),
        "open": pa.array(opened, mask=_some(rng, rows)),
        "color": pa.array(color),
        "shape": pa.array(rng.choice(["round", "square"], rows), mask=_some(rng, rows)),
        "at": pa.array(micros, mask=_some(rng, rows)).cast(ARROW_TYPES["datetime"]),
        "y": {
            "regression": lambda: pa.array(signal),
            "binary": lambda: pa.array(signal > np.median(signal)),
            "multiclass": lambda: pa.array(np.array(["low", "mid", "top"])[np.digitize(signal, [18.0, 34.0])]),
        }[kind](),
    }
    return pa.table(columns)


def _some(rng: np.random.Generator, rows: int) -> Any:
    return rng.random(rows) < 0.1


def pipeline(kind: str = "regression", **training: Any) -> Pipeline:
    """Return a pipeline over the table; ``training`` overrides a quick one."""
    quick = {"candidates": ["linear"], "folds": 3, "trials": 0}
    return Pipeline.model_validate(
        {
            "name": "every-type",
            "task": "regression" if kind == "regression" else "classification",
            "target": "y",
            "data": {"columns": {**FEATURES, "y": TARGETS[kind]}},
            "gate": training.pop("gate", {}),
            "training": quick | training,
        }
    )


def job(store: ArtifactStore, of: Pipeline, *parts: pa.Table) -> TrainingJob:
    """Store each part as a dataset's train side and return the job over them; equal rows share a row hash."""
    datasets = []
    seen: dict[Any, int] = {}
    for part in parts:
        rows = [seen.setdefault(tuple(row.items()), len(seen)) for row in part.to_pylist()]
        file = io.BytesIO()
        pq.write_table(part.append_column(ROW_COLUMN, pa.array(rows, pa.uint64())), file)
        ref = store.put(file.getvalue())
        datasets.append(
            DatasetRef(digest=ref.sha256, train=ref, holdout=ref, train_rows=len(rows), holdout_rows=len(rows))
        )
    return TrainingJob(
        run_id=RUN,
        attempt=1,
        pipeline=of,
        pipeline_digest=of.digest,
        datasets=datasets,
        commit="abc",
        deadline=datetime(2030, 1, 1, tzinfo=UTC),
    )
