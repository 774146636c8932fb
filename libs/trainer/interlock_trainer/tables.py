"""The run's training rows: the train parts of its datasets as one table."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from interlock_artifacts import ArtifactStore
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import DatasetRef
from interlock_contracts.training import TrainingJob
from interlock_modeling.signature import ModelSignature, Targets
from interlock_modeling.split import ROW_COLUMN, in_union
from interlock_tables.typed import ARROW_TYPES


class DataError(Exception):
    """The training failed because of its data or its pipeline; trying again would not help. The text says why."""


@dataclass(frozen=True)
class TrainingTable:
    """Features and target of every training row; ``repeats`` counts rows that an earlier dataset has, too, left out."""

    signature: ModelSignature
    table: pa.Table
    targets: Targets
    repeats: int


def read_training_table(job: TrainingJob, store: ArtifactStore) -> TrainingTable:
    """Fetch and join the train parts.

    Raises:
        DataError: a part does not fit the pipeline, or the rows are too few or too uniform to learn from.
    """
    with tempfile.TemporaryDirectory() as folder:
        parts = list(_parts(job, store, Path(folder)))
    rows = pa.concat_tables(parts)
    union = in_union([np.asarray(part.column(ROW_COLUMN)) for part in parts])
    table = rows.filter(pa.array(union)).drop_columns([ROW_COLUMN])
    try:
        signature = ModelSignature.of(job.pipeline, table)
        targets = signature.targets(table)
    except ValueError as error:
        raise DataError(str(error)) from error
    _check(job.pipeline, signature, table, targets)
    return TrainingTable(signature, table, targets, repeats=rows.num_rows - table.num_rows)


def _parts(job: TrainingJob, store: ArtifactStore, folder: Path) -> Iterator[pa.Table]:
    types = {name: ARROW_TYPES[column.type] for name, column in job.pipeline.data.columns.items()}
    wanted = [*job.pipeline.features, job.pipeline.target]
    schema = pa.schema([*((name, types[name]) for name in wanted), (ROW_COLUMN, pa.uint64())])
    for dataset in job.datasets:
        path = folder / dataset.train.sha256
        store.fetch_file(dataset.train, path)
        try:
            yield pq.read_table(path, columns=schema.names).select(schema.names).cast(schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError) as error:
            raise DataError(f"{_named(dataset)} does not fit the pipeline's columns: {error}") from error


def _named(dataset: DatasetRef) -> str:
    return f"dataset {dataset.digest[:12]}"


def _check(pipeline: Pipeline, signature: ModelSignature, table: pa.Table, targets: Targets) -> None:
    folds = pipeline.training.folds
    if table.num_rows < 2 * folds:
        raise DataError(
            f"{table.num_rows} training rows are too few for {folds} folds; at least {2 * folds} are needed"
        )
    for feature in signature.features:
        column = table.column(feature.name)
        if feature.type == "number" and pc.any(pc.is_inf(column)).as_py():
            raise DataError(f"column {feature.name!r} holds an infinite number")
    if signature.labels is not None:
        rarest = int(np.bincount(targets.astype(np.int64)).argmin())
        rows = int((targets == rarest).sum())
        if rows < folds:
            label = signature.labels[rarest]
            raise DataError(f"label {label!r} of {pipeline.target!r} has {rows} rows; {folds} folds need one each")
