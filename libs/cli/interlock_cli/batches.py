"""`interlock predict --file … --out …`: batch scoring of a whole file: submit, follow, download."""

import hashlib
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from interlock_client import Client, RefusedError, Request
from interlock_client.flows import UPLOAD_TIMEOUT
from interlock_client.operations.datasets import MEDIA_TYPES
from interlock_contracts.prediction_bodies import PredictionView
from interlock_contracts.predictions import prediction_id
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from interlock_cli.terminal import CommandError, Terminal

CHUNK = 1024 * 1024
POLL_SECONDS = 0.3
REPORT_SECONDS = 5.0
"""Interval of progress lines where no progress bar is shown."""

_GONE = 410
_BYTES: tuple[Any, ...] = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
_ROWS: tuple[Any, ...] = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


@dataclass(frozen=True)
class ScoringRequest:
    """A file to be scored by a model; ``on_error`` decides about invalid rows: fail, or null.

    ``log`` is the share of its rows that are to be in the prediction log.
    """

    model: str
    file: Path
    on_error: str
    log: float

    @property
    def kind(self) -> str:
        """Return the file's media type, by its name.

        Raises:
            CommandError: its suffix is unknown.
        """
        kind = MEDIA_TYPES.get(self.file.suffix.lower())
        if kind is None:
            raise CommandError(
                f"{self.file} has an unknown file type", hint=f"supported suffixes: {', '.join(MEDIA_TYPES)}"
            )
        return kind

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        with self.file.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()


def score_file(gateway: Client, terminal: Terminal, request: ScoringRequest, out: Path) -> PredictionView:
    """Score a file and write the predictions to ``out``.

    Idempotent: the same file for the same version and spec is the same prediction, so an interrupted command resumes
    when it is run again.

    Raises:
        CommandError: the file does not fit the model, or the prediction was cancelled.
    """
    view = _find_or_submit(gateway, terminal, request)
    try:
        view = _wait_for_end(gateway, terminal, view)
    except KeyboardInterrupt:
        raise CommandError(
            f"prediction {view.id} continues", hint="run the same command again to resume and download the result"
        ) from None
    if view.state != "completed" or view.links.result is None:
        raise CommandError(view.reason or f"prediction {view.id} is {view.state}", details={"prediction": str(view.id)})
    _download(gateway, terminal, view.links.result, out)
    skipped = f", {view.unanswered:,} of them without a prediction (see column error)" if view.unanswered else ""
    terminal.echo(f"{out}: {view.rows:,} rows{skipped}, {view.model} version {view.version}", style="green")
    return view


def _find_or_submit(gateway: Client, terminal: Terminal, request: ScoringRequest) -> PredictionView:
    """Return the prediction of this file: one that is queued, running or completed, else a new one."""
    name, kind, digest = request.model, request.kind, request.digest
    serving = gateway.model(name).serving
    if serving is None:
        raise CommandError(f"no version of {name!r} is serving yet", hint=f"interlock watch --model {name}")
    spec = gateway.pipeline(name).digest
    for attempt in range(1_000):
        logged = f"/log={request.log:g}" if request.log else ""
        key = f"{digest}/{serving.ref.version}/{spec[:16]}/{request.on_error}{logged}/{attempt}"
        found = _existing(gateway, str(prediction_id(name, key)))
        if found is None:
            return _submit(gateway, terminal, request, {"Content-Type": kind, "Idempotency-Key": key})
        if found.state in ("queued", "running", "completed"):
            terminal.echo(f"prediction {found.id} is already {found.state}", style="dim")
            return found
    raise CommandError("this file has failed too often", hint=f"GET /predictions?model={name} shows the reasons")


def _existing(gateway: Client, prediction: str) -> PredictionView | None:
    """Return a prediction; None where there is none. An expired one has completed, but its result is gone."""
    try:
        return gateway.find(PredictionView, f"/predictions/{prediction}")
    except RefusedError as error:
        if error.status == _GONE:
            return PredictionView.model_validate(
                {"id": prediction, "state": "expired", "requested_at": "1970-01-01T00:00:00Z", "links": _no_links()}
            )
        raise


def _no_links() -> dict[str, str]:
    return {"self": "", "events": "", "cancel": ""}


def _submit(gateway: Client, terminal: Terminal, request: ScoringRequest, headers: dict[str, str]) -> PredictionView:
    size = request.file.stat().st_size
    terminal.echo(f"uploading {request.file} ({size:,} bytes)", style="dim")
    with Progress(*_BYTES, console=terminal.out, disable=not terminal.live, transient=True) as bar:
        task = bar.add_task("upload", total=size)

        uploaded = Request(
            "POST",
            f"/models/{request.model}/predictions",
            {"on_error": request.on_error, **({"log": str(request.log)} if request.log else {})},
            headers | {"Content-Length": str(size)},
            file=request.file,
            on_sent=partial(bar.advance, task),
            timeout=UPLOAD_TIMEOUT,
            repeatable=True,  # it has its Idempotency-Key
        )
        return PredictionView.model_validate(gateway.request(uploaded).json())


def _wait_for_end(gateway: Client, terminal: Terminal, view: PredictionView) -> PredictionView:
    """Poll until the prediction has ended, showing its progress, and return it."""
    reported, state = time.monotonic(), ""
    with Progress(*_ROWS, console=terminal.out, disable=not terminal.live, transient=True) as bar:
        task = bar.add_task("waiting", total=None)
        while view.state in ("queued", "running"):
            view = gateway.get(PredictionView, f"/predictions/{view.id}")
            if view.progress is not None:
                bar.update(task, description="rows", completed=view.progress.rows, total=view.progress.rows_total)
            if not terminal.live and (view.state != state or time.monotonic() - reported > REPORT_SECONDS):
                reported, state = time.monotonic(), view.state
                rows = f": {view.progress.rows:,} of {view.progress.rows_total:,} rows" if view.progress else ""
                terminal.echo(f"prediction {view.id} {view.state}{rows}")
            if view.state in ("queued", "running"):
                time.sleep(POLL_SECONDS)
    return view


def _download(gateway: Client, terminal: Terminal, path: str, out: Path) -> None:
    """Download the result; the file is written atomically."""
    partial = out.with_name(f".{out.name}.part")
    try:
        with (
            gateway.stream(Request("GET", path, timeout=UPLOAD_TIMEOUT)) as answer,
            Progress(*_BYTES, console=terminal.out, disable=not terminal.live, transient=True) as bar,
            partial.open("wb") as target,
        ):
            task = bar.add_task("download", total=int(answer.headers.get("content-length", 0)) or None)
            for piece in answer.iter_bytes(CHUNK):
                target.write(piece)
                bar.advance(task, len(piece))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
