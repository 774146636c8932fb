"""Predictions for rows and frames, in requests that the gateway takes."""

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from interlock_contracts.http import Body
from typing_extensions import TypeIs

from interlock_client.errors import RefusedError
from interlock_client.flows import Flow, Request, read
from interlock_client.frames import F, Frame, Row, like, rows_of
from interlock_client.views import Views

CHUNK_ROWS = 1000
"""Rows in one request; the gateway takes ten times as many."""

CHUNK_BYTES = 4 * 1024 * 1024
"""Body of one request; the gateway takes 10 MiB."""


class PredictionWarning(UserWarning):
    """What was unusual about a row that is answered nevertheless."""


class Answer(Body):
    """The answer to one request: predictions in the order of its rows, by the version named."""

    id: str
    model: str
    version: int
    predictions: list[Any]
    probabilities: list[dict[str, float]] | None = None
    warnings: list[dict[str, Any] | str] = []
    keys: list[dict[str, Any]] = []


class Prediction(Body):
    """One row's prediction; ``id`` is what ground truth is given for, ``key`` what the row is called in its file."""

    id: str
    model: str
    version: int
    prediction: Any
    probabilities: dict[str, float] | None = None
    key: dict[str, Any] = {}


def answers(model: str, rows: Iterable[Row]) -> Flow[list[Answer]]:
    """Predict in as many requests as needed, and return the gateway's answers as they are.

    Raises:
        RefusedError: rows do not fit; its notes say where they begin that were not answered.
    """
    found: list[Answer] = []
    begin = 0
    for count, body in _bodies(rows):
        request = Request(
            "POST",
            f"/models/{model}/predict",
            headers={"Content-Type": "application/json"},
            content=body,
            repeatable=True,  # nothing is changed by it
        )
        try:
            found.append((yield from read(Answer, request)))
        except RefusedError as error:
            if begin:
                error.add_note(f"row numbers are relative to this request, which begins at row {begin}")
            raise
        begin += count
    return found


def _bodies(rows: Iterable[Row]) -> Iterator[tuple[int, bytes]]:
    """Yield bodies of requests, each with the number of its rows; an empty list is a body for the gateway to refuse."""
    part: list[str] = []
    size = 0
    for row in rows:
        text = json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        if part and (len(part) == CHUNK_ROWS or size + len(text) > CHUNK_BYTES):
            yield len(part), _body(part)
            part, size = [], 0
        part.append(text)
        size += len(text)
    if part:
        yield len(part), _body(part)


def _body(rows: Sequence[str]) -> bytes:
    return f'{{"rows":[{",".join(rows)}]}}'.encode()


def predict_rows(model: str, rows: Iterable[Row]) -> Flow[Views[Prediction]]:
    """Return a prediction for each row, in order; what is unusual about rows is a ``PredictionWarning``."""
    found = Views[Prediction]()
    for answer in (yield from answers(model, rows)):
        _warn(answer, len(found))
        found.extend(_each(answer))
    return found


def predict_frame(model: str, frame: F) -> Flow[F]:
    """Return a frame with a prediction for each row of ``frame``: of the same library, with the same index.

    Its columns are ``prediction``, for a classification ``probability_<label>`` of each label, ``model_version`` and
    ``prediction_id``.
    """
    found = yield from predict_rows(model, rows_of(frame))
    columns: dict[str, Iterable[Any]] = {"prediction": [each.prediction for each in found]}
    labels = dict.fromkeys(label for each in found for label in each.probabilities or ())
    for label in labels:
        columns[f"probability_{label}"] = [(each.probabilities or {}).get(label) for each in found]
    columns["model_version"] = [each.version for each in found]
    columns["prediction_id"] = [each.id for each in found]
    return like(frame, columns)


def is_frame(rows: Iterable[Row] | Frame) -> TypeIs[Frame]:
    """Return whether rows are given as a frame."""
    return isinstance(rows, Frame) and not isinstance(rows, Mapping)


def _each(answer: Answer) -> Iterator[Prediction]:
    count = len(answer.predictions)
    probabilities: Sequence[dict[str, float] | None] = answer.probabilities or [None] * count
    keys: Sequence[dict[str, Any]] = answer.keys or [{}] * count
    for row, (prediction, each, key) in enumerate(zip(answer.predictions, probabilities, keys, strict=True)):
        yield Prediction(
            id=f"{answer.id}/{row}",
            model=answer.model,
            version=answer.version,
            prediction=prediction,
            probabilities=each,
            key=key,
        )


def _warn(answer: Answer, begin: int) -> None:
    for each in answer.warnings:
        text = each if isinstance(each, str) else f"row {begin + each['row']}, {each['column']}: {each['message']}"
        warnings.warn(text, PredictionWarning, stacklevel=2)
