"""`interlock predict --file … --out …`: a whole file answered by the service, watched, and fetched."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock_contracts.http import ModelView, PipelineView, PredictionView
from interlock_contracts.predictions import prediction_id
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from interlock_cli.datasets import MEDIA_TYPES
from interlock_cli.gateway import UPLOAD_TIMEOUT, Gateway, RefusedError
from interlock_cli.terminal import CommandError, Terminal

CHUNK = 1024 * 1024
POLL_SECONDS = 0.3
REPORT_SECONDS = 5.0
"""Where nobody watches a bar, how often a line says how far it is."""

_NOT_FOUND, _GONE = 404, 410
_BYTES: tuple[Any, ...] = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
_ROWS: tuple[Any, ...] = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


@dataclass(frozen=True)
class ScoringRequest:
    """A file to be answered by a model; ``on_error`` is what becomes of rows that do not fit, fail or null."""

    model: str
    file: Path
    on_error: str

    @property
    def kind(self) -> str:
        """Return the file's media type, by its name.

        Raises:
            CommandError: its name tells none.
        """
        kind = MEDIA_TYPES.get(self.file.suffix.lower())
        if kind is None:
            raise CommandError(f"{self.file} is of no known kind", hint=f"name it {', '.join(MEDIA_TYPES)}")
        return kind

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        with self.file.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()


def score_file(gateway: Gateway, terminal: Terminal, request: ScoringRequest, out: Path) -> PredictionView:
    """Have a file answered and write the answer to ``out``.

    The same file for the same version and spec is the same prediction: whoever was interrupted runs the command again,
    and it goes on where it was.

    Raises:
        CommandError: the file does not fit the model, or the prediction was cancelled.
    """
    view = _find_or_submit(gateway, terminal, request)
    try:
        view = _wait_for_end(gateway, terminal, view)
    except KeyboardInterrupt:
        raise CommandError(
            f"prediction {view.id} goes on", hint="the same command again looks at it and fetches it"
        ) from None
    if view.state != "completed" or view.links.result is None:
        raise CommandError(view.reason or f"prediction {view.id} is {view.state}", details={"prediction": str(view.id)})
    _download(gateway, terminal, view.links.result, out)
    skipped = f", {view.unanswered:,} of them without an answer (column error says why)" if view.unanswered else ""
    terminal.echo(f"{out}: {view.rows:,} rows{skipped}, {view.model} version {view.version}", style="green")
    return view


def _find_or_submit(gateway: Gateway, terminal: Terminal, request: ScoringRequest) -> PredictionView:
    """Return the prediction of this file: the one that waits, runs or is done, else a new one."""
    name, kind, digest = request.model, request.kind, request.digest
    serving = gateway.get(ModelView, f"/models/{name}").serving
    if serving is None:
        raise CommandError(f"no version of {name!r} serves yet", hint=f"interlock watch --model {name}")
    spec = gateway.get(PipelineView, f"/pipelines/{name}").digest
    for attempt in range(1_000):
        key = f"{digest}/{serving.ref.version}/{spec[:16]}/{request.on_error}/{attempt}"
        found = _existing(gateway, str(prediction_id(name, key)))
        if found is None:
            return _submit(gateway, terminal, request, {"Content-Type": kind, "Idempotency-Key": key})
        if found.state in ("queued", "running", "completed"):
            terminal.echo(f"prediction {found.id} is {found.state} already", style="dim")
            return found
    raise CommandError("this file has failed too often", hint=f"GET /predictions?model={name} tells why")


def _existing(gateway: Gateway, prediction: str) -> PredictionView | None:
    """Return a prediction; None where there is none. One that has expired ended well, but is of no more use."""
    try:
        return gateway.get(PredictionView, f"/predictions/{prediction}")
    except RefusedError as error:
        if error.status == _NOT_FOUND:
            return None
        if error.status == _GONE:
            return PredictionView.model_validate(
                {"id": prediction, "state": "expired", "requested_at": "1970-01-01T00:00:00Z", "links": _no_links()}
            )
        raise


def _no_links() -> dict[str, str]:
    return {"self": "", "events": "", "cancel": ""}


def _submit(gateway: Gateway, terminal: Terminal, request: ScoringRequest, headers: dict[str, str]) -> PredictionView:
    size = request.file.stat().st_size
    terminal.echo(f"sending {request.file} ({size:,} bytes)", style="dim")
    with Progress(*_BYTES, console=terminal.out, disable=not terminal.live, transient=True) as bar:
        task = bar.add_task("send", total=size)

        def pieces() -> Iterator[bytes]:
            with request.file.open("rb") as source:
                while piece := source.read(CHUNK):
                    yield piece
                    bar.advance(task, len(piece))

        answer = gateway.request(
            "POST",
            f"/models/{request.model}/predictions",
            content=pieces(),
            headers=headers | {"Content-Length": str(size)},
            params={"on_error": request.on_error},
            timeout=UPLOAD_TIMEOUT,
        )
    return PredictionView.model_validate(answer.json())


def _wait_for_end(gateway: Gateway, terminal: Terminal, view: PredictionView) -> PredictionView:
    """Return the prediction once it has ended, telling meanwhile how far it is."""
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


def _download(gateway: Gateway, terminal: Terminal, path: str, out: Path) -> None:
    """Write the answer; the file appears whole or not at all."""
    partial = out.with_name(f".{out.name}.part")
    try:
        with (
            gateway.stream(path) as answer,
            Progress(*_BYTES, console=terminal.out, disable=not terminal.live, transient=True) as bar,
            partial.open("wb") as target,
        ):
            task = bar.add_task("fetch", total=int(answer.headers.get("content-length", 0)) or None)
            for piece in answer.iter_bytes(CHUNK):
                target.write(piece)
                bar.advance(task, len(piece))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
