"""Files and frames: uploaded, and followed until they are accepted or rejected."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from interlock_contracts.deletion import DeletedDatasetView
from interlock_contracts.http import DatasetView
from interlock_contracts.refs import DatasetRole

from interlock_client.errors import InterlockError, RejectedError, StillGoingError
from interlock_client.flows import (
    UPLOAD_TIMEOUT,
    Flow,
    Pause,
    Request,
    get,
    get_pages,
    moment,
    named,
    read,
    without_none,
)
from interlock_client.frames import Frame
from interlock_client.operations.pipelines import pipeline
from interlock_client.tables import write_frame
from interlock_client.views import Views

POLL_SECONDS = 0.3
"""Polling interval while a file is validated."""

MEDIA_TYPES = {
    ".csv": "text/csv",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
}


def ingest(
    name: str,
    data: str | Path | Frame,
    *,
    note: str | None = None,
    role: DatasetRole = "training",
    dry_run: bool = False,
    timeout: float = 900,
) -> Flow[DatasetView]:
    """Bring data into a pipeline and return the dataset once it is accepted; a ``note`` is kept with it.

    A path is sent as it is. A pandas or polars frame is written as the pipeline declares its files; the index of
    pandas is left out. With ``dry_run`` the data is checked only, and nothing is stored. With the role ``evaluation``
    nothing is trained on it: the gate judges the next versions on all of its rows.

    Raises:
        RejectedError: the data does not keep the pipeline's rules; it names every reason.
        StillGoingError: the check has not ended after ``timeout`` seconds.
    """
    with ExitStack() as cleanup:
        if isinstance(data, str | Path):
            file = Path(data)
        else:
            declared = yield from pipeline(name)
            folder = cleanup.enter_context(TemporaryDirectory(prefix="interlock-"))
            file = write_frame(data, declared.spec.data, Path(folder))
        view = yield from upload(name, file, note=note, role=role, dry_run=dry_run)
    view = yield from checked(view, timeout=timeout)
    if view.state == "rejected":
        raise RejectedError(view)
    return view


def upload(
    name: str,
    file: Path,
    *,
    note: str | None = None,
    role: DatasetRole = "training",
    dry_run: bool = False,
    on_sent: Callable[[int], object] | None = None,
) -> Flow[DatasetView]:
    """Upload a file and return its dataset, which is still to be checked; ``on_sent`` gets the size of each piece.

    Raises:
        InterlockError: ingest is of a release without dry runs or roles, so the file is stored now.
    """
    asked = {
        "file_name": file.name,
        "note": note,
        "role": role if role != "training" else None,
        "dry_run": "true" if dry_run else None,
    }
    headers = {
        "Content-Type": MEDIA_TYPES.get(file.suffix.lower(), "application/octet-stream"),
        "Content-Length": str(file.stat().st_size),
    }
    request = Request(
        "POST",
        f"/datasets/{name}",
        params=without_none(asked),
        headers=headers,
        file=file,
        on_sent=on_sent,
        timeout=UPLOAD_TIMEOUT,
        repeatable=True,  # a dataset is named by its content
    )
    view = yield from read(DatasetView, request)
    if dry_run and not view.dry_run:
        raise InterlockError(f"ingest is older than --dry-run: it has stored the file as {view.digest[:12]}")
    if role != view.role:
        raise InterlockError(f"ingest is older than --role: it has stored {view.digest[:12]} as a training file")
    return view


def checked(
    view: DatasetView, *, timeout: float = 900, on_change: Callable[[DatasetView], object] | None = None
) -> Flow[DatasetView]:
    """Return the dataset once it is accepted or rejected; ``on_change`` is called at every poll.

    Raises:
        StillGoingError: that has not happened after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while view.state == "checking":
        if on_change is not None:
            on_change(view)
        if time.monotonic() > deadline:
            raise StillGoingError(f"no validation result after {timeout:g} s", view)
        yield Pause(POLL_SECONDS)
        view = yield from dataset(view.pipeline, view.digest, pipeline_digest=view.pipeline_digest)
    if on_change is not None:
        on_change(view)
    return view


def datasets(
    name: str,
    *,
    state: str | Sequence[str] = (),
    role: str | Sequence[str] = (),
    since: datetime | None = None,
    text: str | None = None,
    before: datetime | None = None,
    limit: int | None = None,
) -> Flow[Views[DatasetView]]:
    """Return a pipeline's files with their validation results, the newest first.

    ``state`` names one state or several, ``role`` one role or both; ``text`` is a part of the file's name or note,
    or how its digest begins; ``before`` is the ``received_at`` of the last of the page before.
    """
    wanted: dict[str, Any] = {
        "state": named(state),
        "role": named(role),
        "since": moment(since),
        "text": text,
        "before": moment(before),
    }

    def received(dataset: DatasetView) -> str | None:
        return moment(dataset.received_at)

    return (
        yield from get_pages(DatasetView, f"/datasets/{name}", limit=limit, cursor="before", value=received, **wanted)
    )


def dataset(name: str, digest: str, *, pipeline_digest: str | None = None) -> Flow[DatasetView]:
    """Return a file's validation result, with its profile and drift."""
    return (yield from get(DatasetView, f"/datasets/{name}/{digest}", pipeline=pipeline_digest))


def delete_dataset(name: str, digest: str) -> Flow[DeletedDatasetView]:
    """Delete a file for good, with what is stored of it; one that is deleted already stays so."""
    request = Request("DELETE", f"/datasets/{name}/{digest}", repeatable=True)
    return (yield from read(DeletedDatasetView, request))
