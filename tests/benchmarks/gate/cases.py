"""A million held-out rows of ten columns in four files, and two models: the champion has seen half as many rows."""

import io
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from interlock_artifacts import MemoryStore
from interlock_contracts.manifest import TrainedOn, TrainingManifest
from interlock_contracts.models import ChampionRef, ModelRegistered
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef
from interlock_modeling.split import FORM_KEY, ROW_COLUMN, row_hashes

from tests.support.trained_models import trained

Task = Literal["regression", "binary", "five labels"]
TASKS: tuple[Task, ...] = ("regression", "binary", "five labels")

TRAINED = 4_000
FILES = 4
LABELS = np.array(["a", "b", "c", "d", "e"])
NUMBERS = [f"n{place}" for place in range(6)]
SLICES = [{"column": "color", "no_worse_than": 0.05}, {"column": ["n0", "at"], "no_worse_than": 0.05}]


def pipeline(task: Task, candidate: str) -> Pipeline:
    """Return what is declared: ten columns beside the target, two slices, a threshold with its confidence."""
    columns: dict[str, Any] = {name: {"type": "number"} for name in NUMBERS}
    columns |= {"i0": {"type": "integer"}, "open": {"type": "boolean"}, "color": {"type": "category"}}
    columns |= {"at": {"type": "datetime"}}
    columns["y"] = {"type": {"regression": "number", "binary": "boolean", "five labels": "category"}[task]}
    metric = "r2" if task == "regression" else "roc_auc"
    return Pipeline.model_validate(
        {
            "name": "many",
            "task": "regression" if task == "regression" else "classification",
            "target": "y",
            "data": {"columns": columns},
            "training": {"candidates": [candidate], "folds": 3, "trials": 0},
            "gate": {
                "champion": {"metric": metric},
                "metrics": {metric: {"min": 0.5, "confidence": 0.9}},
                "slices": SLICES,
            },
        }
    )


def table(task: Task, rows: int, seed: int) -> pa.Table:
    """Return rows whose target follows from four of the columns, and noise."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(6, rows))
    color = random.choice(np.array(["red", "green", "blue", "white"]), rows)
    signal = 2 * numbers[0] + numbers[1] * numbers[2] + (color == "red") + random.normal(size=rows)
    target = {
        "regression": lambda: signal,
        "binary": lambda: signal > 0.5,
        "five labels": lambda: LABELS[np.digitize(signal, [-1.5, 0.0, 1.0, 2.5])],
    }[task]()
    return pa.table(
        {
            **{name: pa.array(each) for name, each in zip(NUMBERS, numbers, strict=True)},
            "i0": pa.array(random.integers(0, 10**6, rows)),
            "open": pa.array(random.random(rows) < 0.5),
            "color": pa.array(color),
            "at": pa.array(1_700_000_000_000_000 + random.integers(0, 2 * 10**13, rows)).cast(
                pa.timestamp("us", "UTC")
            ),
            "y": pa.array(target),
        }
    )


def prepared(task: Task, rows: int, folder: Path, kind: str) -> tuple[MemoryStore, ModelRegistered]:
    """Return what the gate is asked, and the store with all that belongs to it."""
    store, of = MemoryStore(), pipeline(task, kind)
    versions = [_version(store, of, table(task, some, 1), rows, folder) for some in (TRAINED, TRAINED // 2)]
    (artifact, manifest), (before, told) = versions
    event = ModelRegistered(
        model=of.name,
        version=2,
        run_id=UUID(int=1),
        artifact=artifact,
        manifest=manifest,
        pipeline_digest=of.digest,
        spec=store.put(of.model_dump_json().encode()),
        holdouts=[_holdout(store, of, table(task, rows // FILES, 2 + number)) for number in range(FILES)],
        champion=ChampionRef(version=1, artifact=before, manifest=told),
    )
    return store, event


def _version(
    store: MemoryStore, of: Pipeline, rows: pa.Table, held_out: int, folder: Path
) -> tuple[ArtifactRef, ArtifactRef]:
    """Train a model; its manifest says that it has trained on four times as many rows as are held out."""
    own = MemoryStore()  # a store has one manifest of a run
    manifest, _ = trained(of, rows, folder, own)
    store.objects |= own.objects
    assert manifest.artifact is not None
    hashes = np.unique(np.random.default_rng(0).integers(0, 2**63, 4 * held_out, dtype=np.uint64))
    known = TrainedOn(
        hashes=_stored(store, pa.table({"hash": pa.array(hashes)})),
        form=2,
        columns={name: each.type for name, each in of.data.columns.items()},
    )
    told = TrainingManifest.model_validate(manifest.model_dump() | {"trained_on": known})
    return manifest.artifact, store.put(told.model_dump_json().encode())


def _holdout(store: MemoryStore, of: Pipeline, rows: pa.Table) -> ArtifactRef:
    columns: dict[str, Any] = {name: rows.column(name).combine_chunks() for name in rows.column_names}
    hashed = rows.append_column(ROW_COLUMN, pa.array(row_hashes(columns, 2, of.name)))
    return _stored(store, hashed.replace_schema_metadata({FORM_KEY: "2"}), holdout=True)


def _stored(store: MemoryStore, rows: pa.Table, *, holdout: bool = False) -> ArtifactRef:
    file = io.BytesIO()
    pq.write_table(rows, file, compression="zstd")
    return store.put(file.getvalue(), holdout=holdout)
