"""The rows of a part that are to be in the prediction log; `prediction` publishes them once the file is answered."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.scoring import ScoringJob
from interlock_modeling.signature import ModelSignature

from interlock_scoring.answers import PREDICTION, probability_columns
from interlock_scoring.rows import Rows

MOST_ROWS = 100_000
"""Rows of one file in the log at most: more would add nothing about the model's quality, only fill the log."""


def share(job: ScoringJob, rows: int) -> float:
    """Return the share of a file's ``rows`` that is logged: what the job asks for, within the limit."""
    return min(job.log, MOST_ROWS / max(1, rows))


def logged_lines(job: ScoringJob, number: int, rows: Rows, answers: pa.Table, signature: ModelSignature) -> bytes:
    """Return the sample of a part as lines of JSON, each a ``ScoredRow``; the same whenever it is drawn."""
    drawn = np.random.default_rng([job.prediction_id.int, number]).random(len(rows)) < job.log
    drawn[list(rows.faults)] = False
    places = drawn.nonzero()[0]
    asked = rows.features.select([feature.name for feature in signature.features]).take(places)
    answered = answers.take(places)
    labels = signature.labels
    scores = [] if labels is None else [answered.column(name).to_pylist() for name in probability_columns(labels)]
    lines = [
        {
            "row": rows.first + place,
            "values": list(values.values()),
            "answer": answer,
            "probabilities": list(probabilities) if labels is not None else None,
        }
        for place, values, answer, *probabilities in zip(
            places.tolist(), asked.to_pylist(), answered.column(PREDICTION).to_pylist(), *scores, strict=True
        )
    ]
    return b"".join(json.dumps(line, default=_plain, allow_nan=False).encode() + b"\n" for line in lines)


def _plain(value: Any) -> str:
    assert isinstance(value, datetime), "features are numbers, texts, booleans and times"
    return value.isoformat()
