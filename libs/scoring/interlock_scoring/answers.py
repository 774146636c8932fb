"""What the model says of some rows, as columns beside the rows themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_modeling import Model
from interlock_modeling.signature import ModelSignature, label_names
from numpy.typing import NDArray

from interlock_scoring.rows import Fault, Rows

PREDICTION, VERSION, ERROR = "prediction", "model_version", "error"
_NOT_FINITE = Fault(None, "the numbers are too large for this model: it gives no finite answer")


def added_columns(signature: ModelSignature, *, errors: bool) -> list[str]:
    """Return the names of the columns that the answer has besides the rows' own."""
    names = _probabilities(signature.labels or ())
    return [PREDICTION, *names, VERSION, *([ERROR] if errors else [])]


def answer(model: Model, rows: Rows, version: int, *, errors: bool) -> pa.Table:
    """Return the rows with the answers; a row with a fault has none, and ``rows.faults`` gains those found here.

    ``errors`` adds the column that says why.
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
    columns[VERSION] = pa.repeat(pa.scalar(version, pa.int64()), len(rows))
    if errors:
        columns[ERROR] = _errors(rows)
    return pa.table(columns)


def _answers(signature: ModelSignature, scores: NDArray[np.float64], missing: NDArray[np.bool_]) -> dict[str, Any]:
    nulls = missing if missing.any() else None
    if signature.labels is None:
        return {PREDICTION: pa.array(scores, mask=nulls)}
    best: Any = pa.array(scores.argmax(axis=1), mask=nulls)
    labels: Any = signature.labels
    columns: dict[str, Any] = {PREDICTION: pa.array(labels).take(best)}
    for place, name in enumerate(_probabilities(labels)):
        columns[name] = pa.array(np.ascontiguousarray(scores[:, place]), mask=nulls)
    return columns


def _errors(rows: Rows) -> pa.Array[Any]:
    if not rows.faults:
        return pa.nulls(len(rows), pa.string())
    texts: list[str | None] = [None] * len(rows)
    for at, fault in rows.faults.items():
        texts[at] = fault.message if fault.column is None else f"{fault.column}: {fault.message}"
    return pa.array(texts, pa.string())


def _probabilities(labels: Sequence[Any]) -> list[str]:
    return [f"probability_{name}" for name in label_names(labels)]
