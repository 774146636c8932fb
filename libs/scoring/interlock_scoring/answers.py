"""The model's answers to some rows, as columns beside the rows themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.scoring import ScoringJob
from interlock_modeling import Model
from interlock_modeling.signature import ModelSignature, decide, label_names
from interlock_tables.typed import compute
from numpy.typing import NDArray

from interlock_scoring.rows import Fault, Rows

PREDICTION, VERSION, ERROR, PREDICTION_ID = "prediction", "model_version", "error", "prediction_id"
_NOT_FINITE = Fault(None, "the numbers are too large for this model: it gives no finite answer")


def added_columns(signature: ModelSignature, job: ScoringJob) -> list[str]:
    """Return the names of the columns that the answer has besides the rows' own."""
    names = probability_columns(signature.labels or ())
    ids, errors = [PREDICTION_ID] if job.row_ids else [], [ERROR] if job.on_error == "null" else []
    return [PREDICTION, *names, VERSION, *ids, *errors]


def answer(model: Model, rows: Rows, job: ScoringJob) -> pa.Table:
    """Return the rows with the answers; a row with a fault has none, and ``rows.faults`` gains those found here.

    Each has its id ``<prediction>/<row>``, by which ground truth about it is sent. With ``on_error: null`` another
    column says what is wrong with a row.
    """
    rows.note_missing(model.signature)
    good = np.ones(len(rows), dtype=np.bool_)
    good[list(rows.faults)] = False
    features = rows.features if good.all() else rows.features.filter(pa.array(good))
    labels = model.signature.labels
    shape = (len(rows),) if labels is None else (len(rows), len(labels))
    scores = np.full(shape, np.nan)
    if features.num_rows:
        scores[good] = model.predict_table(features).scores
    finite = np.isfinite(scores) if labels is None else np.isfinite(scores).all(axis=1)
    for at in (good & ~finite).nonzero()[0].tolist():
        rows.faults[at] = _NOT_FINITE
    columns: dict[str, Any] = dict(zip(rows.table.column_names, rows.table.columns, strict=True))
    columns |= _answers(model.signature, scores, ~finite)
    columns[VERSION] = pa.repeat(pa.scalar(job.model.version, pa.int64()), len(rows))
    if job.row_ids:
        columns[PREDICTION_ID] = _row_ids(job, rows)
    if job.on_error == "null":
        columns[ERROR] = _errors(rows)
    return pa.table(columns)


def _answers(signature: ModelSignature, scores: NDArray[np.float64], missing: NDArray[np.bool_]) -> dict[str, Any]:
    nulls = missing if missing.any() else None
    if signature.labels is None:
        return {PREDICTION: pa.array(scores, mask=nulls)}
    best: Any = pa.array(decide(scores, signature.threshold), mask=nulls)
    labels: Any = signature.labels
    columns: dict[str, Any] = {PREDICTION: pa.array(labels).take(best)}
    for place, name in enumerate(probability_columns(labels)):
        columns[name] = pa.array(np.ascontiguousarray(scores[:, place]), mask=nulls)
    return columns


def _row_ids(job: ScoringJob, rows: Rows) -> Any:
    places = pa.array(np.arange(rows.first, rows.first + len(rows))).cast(pa.string())
    return compute.binary_join_element_wise(str(job.prediction_id), places, "/")


def _errors(rows: Rows) -> pa.Array[Any]:
    if not rows.faults:
        return pa.nulls(len(rows), pa.string())
    texts: list[str | None] = [None] * len(rows)
    for at, fault in rows.faults.items():
        texts[at] = fault.message if fault.column is None else f"{fault.column}: {fault.message}"
    return pa.array(texts, pa.string())


def probability_columns(labels: Sequence[Any]) -> list[str]:
    """Return the names of the columns with the probabilities of the labels."""
    return [f"probability_{name}" for name in label_names(labels)]
