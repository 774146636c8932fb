"""Whole files: sent, predicted by the service in a stream, and their answers fetched."""

import hashlib
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from interlock_contracts.prediction_bodies import PredictionLinks, PredictionView
from interlock_contracts.predictions import prediction_id

from interlock_client.errors import EndedError, InterlockError, RefusedError, StillGoingError
from interlock_client.flows import UPLOAD_TIMEOUT, Flow, Pause, Request, find, get, read
from interlock_client.operations.datasets import MEDIA_TYPES
from interlock_client.operations.models import model
from interlock_client.operations.pipelines import pipeline
from interlock_client.operations.predictions import PredictionWarning

OnError: TypeAlias = Literal["fail", "null"]

POLL_SECONDS = 0.3
_ATTEMPTS = 1_000
_GONE = 410


def predict_file(
    name: str,
    file: str | Path,
    out: str | Path,
    *,
    on_error: OnError = "fail",
    log: float = 0.0,
    timeout: float = 24 * 3600,
) -> Flow[PredictionView]:
    """Predict a whole file of any size, and write its answers to ``out``: Parquet, with the rows of the file.

    ``file`` is CSV, JSON Lines or Parquet, by its suffix. The version that serves now answers all of it. A row that
    does not fit fails the file, or with ``on_error="null"`` has no prediction. The share ``log`` of the rows is in the
    prediction log, so that ground truth about them counts. The same call again finds the same prediction.

    What was unusual about the file is a ``PredictionWarning``.

    Raises:
        EndedError: the file does not fit the model, or the prediction was cancelled; it says why.
        StillGoingError: it has not ended after ``timeout`` seconds; it goes on, and the same call again waits for it.
    """
    view = yield from submit_file(name, file, on_error=on_error, log=log)
    view = yield from file_predicted(view, timeout=timeout)
    for each in view.warnings:
        warnings.warn(each, PredictionWarning, stacklevel=2)
    yield from fetch_answers(view, out)
    return view


def submit_file(
    name: str,
    file: str | Path,
    *,
    on_error: OnError = "fail",
    log: float = 0.0,
    on_sent: Callable[[int], object] | None = None,
) -> Flow[PredictionView]:
    """Return the prediction of this file: one that is queued, running or completed, else a new one.

    ``on_sent`` is called with the size of each piece.
    """
    path = Path(file)
    kind = MEDIA_TYPES.get(path.suffix.lower())
    if kind is None:
        raise InterlockError(f"{path} has an unknown file type; supported suffixes: {', '.join(MEDIA_TYPES)}")
    with path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    serving = (yield from model(name)).serving
    if serving is None:
        raise InterlockError(f"no version of {name!r} is serving yet")
    spec = (yield from pipeline(name)).digest
    logged = f"/log={log:g}" if log else ""
    for attempt in range(_ATTEMPTS):
        key = f"{digest}/{serving.ref.version}/{spec[:16]}/{on_error}{logged}/{attempt}"
        found = yield from _existing(str(prediction_id(name, key)))
        if found is None:
            request = Request(
                "POST",
                f"/models/{name}/predictions",
                {"on_error": on_error, **({"log": str(log)} if log else {})},
                {"Content-Type": kind, "Idempotency-Key": key, "Content-Length": str(path.stat().st_size)},
                file=path,
                on_sent=on_sent,
                timeout=UPLOAD_TIMEOUT,
                repeatable=True,  # it has its Idempotency-Key
            )
            return (yield from read(PredictionView, request))
        if found.state in ("queued", "running", "completed"):
            return found
    raise InterlockError(f"this file has failed too often; GET /predictions?model={name} shows the reasons")


def file_predicted(
    view: PredictionView,
    *,
    timeout: float = 24 * 3600,
    on_change: Callable[[PredictionView], object] | None = None,
) -> Flow[PredictionView]:
    """Return the prediction of a file once it is completed; ``on_change`` is called at every poll.

    Raises:
        EndedError: it failed, was cancelled or has expired; it says why.
        StillGoingError: it has not ended after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while view.state in ("queued", "running"):
        if time.monotonic() > deadline:
            raise StillGoingError(f"prediction {view.id} has not ended after {timeout:g} s", view)
        yield Pause(POLL_SECONDS)
        view = yield from get(PredictionView, f"/predictions/{view.id}")
        if on_change is not None:
            on_change(view)
    if view.state != "completed" or view.links.result is None:
        raise EndedError(view.reason or f"prediction {view.id} is {view.state}", view)
    return view


def fetch_answers(
    view: PredictionView, out: str | Path, *, on_received: Callable[[int, int | None], object] | None = None
) -> Flow[None]:
    """Write the answers of a completed prediction to ``out``, which appears when all of it is there.

    ``on_received`` is called with the size of each piece, and of the whole where that is known.
    """
    if view.links.result is None:
        raise EndedError(f"prediction {view.id} is {view.state}: it has no file of answers", view)
    target = Path(out)
    part = target.with_name(f".{target.name}.part")
    try:
        yield Request(
            "GET", view.links.result, into=part, on_received=on_received, timeout=UPLOAD_TIMEOUT, repeatable=True
        )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _existing(prediction: str) -> Flow[PredictionView | None]:
    """Return a prediction; None where there is none. An expired one has completed, but its answers are gone."""
    try:
        return (yield from find(PredictionView, f"/predictions/{prediction}"))
    except RefusedError as error:
        if error.status != _GONE:
            raise
        links = PredictionLinks(self="", events="", cancel="")
        requested_at = "1970-01-01T00:00:00Z"
        return PredictionView.model_validate(
            {"id": prediction, "state": "expired", "requested_at": requested_at, "links": links}
        )
