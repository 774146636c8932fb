"""The run's training rows: the train parts of its datasets as one table."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from interlock_artifacts import ArtifactStore
from interlock_contracts.pipeline import TRANSFORMED_ABOVE, Pipeline
from interlock_contracts.refs import DatasetRef
from interlock_contracts.threshold import ThresholdByMetric
from interlock_contracts.training import TrainingJob
from interlock_modeling.signature import ModelSignature, Targets, label_names
from interlock_modeling.split import ROW_COLUMN, in_union
from interlock_tables.typed import ARROW_TYPES, compute
from numpy.typing import NDArray

from interlock_trainer.trained_on import known_by
from interlock_trainer.weights import Weights

LEAST_TO_CHOOSE = 10
"""Rows that each label needs for a threshold to be chosen by them."""


class DataError(Exception):
    """The training failed because of its data or its pipeline; trying again would not help. The text says why."""


@dataclass(frozen=True)
class TrainingTable:
    """Features and target of every training row; ``hashes`` are those by which the rows are known to the gate.

    Left out are ``repeats`` rows that an earlier dataset has, too, those of ``rare_labels``, counted by label, and
    those of weight 0.
    """

    hashes: NDArray[np.uint64]
    signature: ModelSignature
    table: pa.Table
    targets: Targets
    weights: Weights
    monotone: dict[str, int]
    repeats: int
    rare_labels: dict[str, int]


def read_training_table(job: TrainingJob, store: ArtifactStore) -> TrainingTable:
    """Fetch and join the train parts.

    Raises:
        DataError: a part does not fit the pipeline, or the rows are too few or too uniform to learn from.
    """
    with tempfile.TemporaryDirectory() as folder:
        parts = list(_parts(job, store, Path(folder)))
    hashes = np.concatenate([known_by(job.pipeline, part) for part in parts])
    rows = pa.concat_tables(parts)
    union = in_union([np.asarray(part.column(ROW_COLUMN)) for part in parts])
    united = rows.filter(pa.array(union)).select(_learned_from(job.pipeline))
    table, rare = _without_rare_labels(job.pipeline, _that_weigh(job.pipeline, united))
    try:
        signature = ModelSignature.of(job.pipeline, table)
        targets = signature.targets(table)
        weights = _weights(job.pipeline, signature, table, rare)
    except ValueError as error:
        raise DataError(str(error)) from error
    _check(job.pipeline, signature, table, targets)
    _check_transform(job.pipeline, targets)
    repeats = rows.num_rows - united.num_rows
    return TrainingTable(hashes, signature, table, targets, weights, job.pipeline.monotone, repeats, rare)


def _learned_from(pipeline: Pipeline) -> list[str]:
    weight = pipeline.data.weight_column
    return [*pipeline.features, pipeline.target, *([weight] if weight is not None else [])]


def _parts(job: TrainingJob, store: ArtifactStore, folder: Path) -> Iterator[pa.Table]:
    types = {name: ARROW_TYPES[column.type] for name, column in job.pipeline.data.columns.items()}
    wanted = dict.fromkeys([*_learned_from(job.pipeline), *(job.pipeline.data.side_columns or ())])
    schema = pa.schema([*((name, types[name]) for name in wanted), (ROW_COLUMN, pa.uint64())])
    for dataset in job.datasets:
        path = folder / dataset.train.sha256
        store.fetch_file(dataset.train, path)
        try:
            yield pq.read_table(path, columns=schema.names).select(schema.names).cast(schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError) as error:
            raise DataError(f"{_named(dataset)} does not fit the pipeline's columns: {error}") from error


def _check_transform(pipeline: Pipeline, targets: Targets) -> None:
    """Refuse targets that cannot be transformed; a file that was stored before there was a transform may have some."""
    transform = pipeline.target_transform
    if transform is not None and (few := int((targets <= (least := TRANSFORMED_ABOVE[transform])).sum())):
        raise DataError(f"{few} rows have a {pipeline.target!r} of at most {least:g}, of which there is no {transform}")


def _that_weigh(pipeline: Pipeline, table: pa.Table) -> pa.Table:
    """Return the rows without those of weight 0, if rows are weighted."""
    weight = pipeline.data.weight_column
    return table if weight is None else table.filter(compute.greater(table.column(weight), 0))


def _weights(pipeline: Pipeline, signature: ModelSignature, table: pa.Table, rare: dict[str, int]) -> Weights:
    """Return the weights of rows and labels.

    Raises:
        ValueError: a label is weighted that no row has.
    """
    weight, by_label = pipeline.data.weight_column, pipeline.training.class_weight
    rows = None if weight is None else np.asarray(table.column(weight)).astype(np.float64)
    if not isinstance(by_label, dict):
        return Weights(rows, by_label)
    names = label_names(signature.labels or [])
    unknown = sorted(by_label.keys() - {*names, *rare})
    if unknown:
        raise ValueError(
            f"training.class_weight names {unknown[0]!r}, which no row has; labels are {', '.join(names[:20])}"
        )
    return Weights(rows, np.array([by_label.get(name, 1.0) for name in names]))


def _without_rare_labels(pipeline: Pipeline, table: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """Return the rows without those of labels too rare for the folds, if these are set aside, and how many they are."""
    if pipeline.task != "classification" or pipeline.training.rare_labels == "refuse":
        return table, {}
    labels = table.column(pipeline.target)
    counted: Any = compute.value_counts(labels)
    rare = counted.filter(compute.less(counted.field("counts"), pipeline.training.folds))
    kept = table.filter(compute.invert(compute.is_in(labels, rare.field("values"))))
    return kept, {str(each["values"]): each["counts"] for each in rare.to_pylist()}


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
    if pipeline.monotone and len(signature.labels or ()) > 2:  # noqa: PLR2004
        raise DataError(
            f"monotone columns need a number or two labels; {pipeline.target!r} has {len(signature.labels or ())}"
        )
    if pipeline.training.threshold is not None and len(signature.labels or ()) > 2:  # noqa: PLR2004
        raise DataError(f"training.threshold is for two labels; {pipeline.target!r} has {len(signature.labels or ())}")
    if signature.labels is not None:
        rarest = int(np.bincount(targets.astype(np.int64)).argmin())
        rows = int((targets == rarest).sum())
        if rows < folds:
            label = signature.labels[rarest]
            raise DataError(
                f"label {label!r} of {pipeline.target!r} has {rows} rows; {folds} folds need one each. "
                "Collect more, declare fewer folds, or training.rare_labels: set_aside to learn without such labels"
            )
        if isinstance(pipeline.training.threshold, ThresholdByMetric) and rows < LEAST_TO_CHOOSE:
            label, metric = signature.labels[rarest], pipeline.training.threshold.metric
            raise DataError(
                f"training.threshold cannot be chosen by {metric}: label {label!r} of {pipeline.target!r} has {rows} "
                f"rows, and {LEAST_TO_CHOOSE} are needed. Collect more, or declare a number"
            )
