"""Asynchronous predictions: rows submitted now, and their answer waited for later."""

import time
from collections.abc import Iterable
from uuid import UUID

from interlock_contracts.prediction_bodies import PredictionAccepted, PredictionView

from interlock_client.errors import EndedError, StillGoingError
from interlock_client.flows import Flow, Pause, Request, find, get, parsed, post, read
from interlock_client.frames import Frame, Row, rows_of
from interlock_client.operations.predictions import Answer, is_frame

FIRST_SECONDS, LAST_SECONDS = 0.05, 2.0
"""Polling interval of an answer, at first and at most."""


def predict_later(
    model: str, rows: Iterable[Row] | Frame, *, ttl_seconds: int | None = None
) -> Flow[PredictionAccepted]:
    """Submit rows, or a frame, for an answer later; at most 10,000 of them.

    The answer is kept for ``ttl_seconds``, a day if left out.
    """
    body = {"rows": rows_of(rows) if is_frame(rows) else list(rows), "ttl_seconds": ttl_seconds}
    return parsed(PredictionAccepted, (yield from post(f"/models/{model}/predictions", body, idempotent=True)))


def answered(prediction: PredictionAccepted | UUID | str, *, timeout: float = 900) -> Flow[Answer]:
    """Return the answer of an asynchronous prediction once it is there.

    Raises:
        EndedError: it failed, was cancelled or has expired.
        StillGoingError: it has not ended after ``timeout`` seconds.
    """
    path, deadline, pause = _path(prediction), time.monotonic() + timeout, FIRST_SECONDS
    while True:
        seen = yield from find(PredictionView, path)  # unknown until its request has been read
        if seen is not None and seen.answer is not None:
            return parsed(Answer, seen.answer)
        if seen is not None and seen.ended_at is not None:
            raise EndedError(f"prediction {seen.id} is {seen.state}: {seen.reason}", seen)
        if time.monotonic() > deadline:
            if seen is None:
                seen = yield from get(PredictionView, path)
            raise StillGoingError(f"prediction {seen.id} has no answer after {timeout:g} s", seen)
        yield Pause(pause)
        pause = min(pause * 1.5, LAST_SECONDS)


def cancel_prediction(prediction: PredictionAccepted | UUID | str) -> Flow[PredictionView]:
    """Cancel an asynchronous prediction that has not ended; also one whose request has not been read yet."""
    return (yield from read(PredictionView, Request("POST", f"{_path(prediction)}/cancel", repeatable=True)))


def _path(prediction: PredictionAccepted | UUID | str) -> str:
    return f"/predictions/{prediction.id if isinstance(prediction, PredictionAccepted) else prediction}"
