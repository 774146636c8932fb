"""Training runs: asked for, listed, cancelled, and followed to their end."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeAlias
from uuid import UUID

from interlock_contracts.filters import metric_bounds, metric_order
from interlock_contracts.http import RunAccepted, RunView, VersionView
from interlock_contracts.training import parse_run_states

from interlock_client.errors import NotFoundError, StillGoingError, UnavailableError
from interlock_client.extras import extra
from interlock_client.flows import (
    Flow,
    Pause,
    Request,
    get,
    get_list,
    get_pages,
    moment,
    named,
    parsed,
    post,
    without_none,
)
from interlock_client.operations.models import converged, tags_query
from interlock_client.views import Views

Run: TypeAlias = UUID | str | RunAccepted | RunView
"""A run, or its id."""

POLL_SECONDS = 0.3
"""Polling interval."""

FIRST_RUN_SECONDS = 20.0
"""Timeout for a model's first run to appear."""

ACCEPTED_SECONDS = 60.0
"""Timeout for an accepted request, or a verdict, to pass the broker on a busy machine."""

OUTAGE_SECONDS = 60.0
"""Longest outage of the gateway or a service that is waited out, as in a restart."""

MAX_KEY = 200
"""Characters that an idempotency key may have."""

ENDED = frozenset({"succeeded", "refused", "failed", "cancelled", "timed_out", "coalesced"})


def retrain(
    model: str,
    *,
    reason: str | None = None,
    dataset: str | None = None,
    pipeline: str | None = None,
    commit: str | None = None,
    tags: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Flow[RunAccepted]:
    """Request a training run; ``dataset`` and ``pipeline`` are digests. ``wait`` follows it.

    ``tags`` are kept with the run; ``runs`` finds it by them. ``commit`` is one of them, unless they have another.

    A model is trained once for an ``idempotency_key``: who asks again is answered with the same run, also after its
    end. With ``commit`` and without a key, that is once for the commit, with the same ``pipeline`` and ``dataset``.

    Raises:
        ValueError: ``idempotency_key`` is nothing that a header can hold.
    """
    key = _key_of(commit, pipeline, dataset) if commit else None
    if idempotency_key is not None:
        key = require_idempotency_key(idempotency_key)
    given = {"commit": commit, **(tags or {})} if commit else None if tags is None else dict(tags)
    body = {"reason": reason, "dataset": dataset, "pipeline": pipeline, "commit": commit, "tags": given}
    return parsed(RunAccepted, (yield from post(f"/models/{model}/retrain", body, idempotent=True, key=key)))


def require_idempotency_key(text: str) -> str:
    """Return a key that a request may have.

    Raises:
        ValueError: it is too long, or has characters that a header cannot hold; the text says what would be right.
    """
    if not (0 < len(text) <= MAX_KEY and text.isascii() and text.isprintable() and text == text.strip()):
        raise ValueError(f"an idempotency key has 1 to {MAX_KEY} printable ASCII characters, not {text[:50]!r}")
    return text


def _key_of(commit: str, pipeline: str | None, dataset: str | None) -> str:
    """Return the key of every request for a commit; a digest, since a header holds neither any text nor much of it."""
    return f"commit-{sha256('|'.join((commit, pipeline or '', dataset or '')).encode()).hexdigest()}"


def runs(
    model: str | None = None,
    *,
    state: str | Sequence[str] = (),
    tags: Mapping[str, str | None] | None = None,
    metric: str | Sequence[str] = (),
    since: datetime | None = None,
    before: datetime | None = None,
    sort: str | None = None,
    limit: int = 20,
) -> Flow[Views[RunView]]:
    """Return up to ``limit`` runs, the newest first; ``state`` names one state or several.

    Of ``tags`` one without a value may have any. ``metric`` is one bound of a metric or several, ``r2>=0.9``: a run
    that has no such metric is left out. ``before`` is the ``created_at`` of the last of the page before. ``sort`` is
    a metric, ``rmse`` the smallest first, ``-r2`` the greatest; then ``limit`` is 500 at most.

    Raises:
        ValueError: there is no such state or metric.
    """
    bounds = named(metric)
    metric_bounds(bounds)
    metric_order(sort)
    wanted = {
        "model": model,
        "state": named(parse_run_states(named(state))),
        "tag": tags_query(tags),
        "metric": bounds,
        "since": moment(since),
        "before": moment(before),
    }

    if sort is not None:
        return (yield from get_list(RunView, "/runs", **wanted, sort=sort, limit=limit))

    def created(run: RunView) -> str | None:
        return moment(run.created_at)

    return (yield from get_pages(RunView, "/runs", limit=limit, cursor="before", value=created, **wanted))


def run(run: Run) -> Flow[RunView]:
    """Return a run as it is now."""
    return (yield from get(RunView, f"/runs/{_id(run)}"))


@dataclass(frozen=True)
class RunLog:
    """What one attempt's training has printed, its end; ``complete`` once nothing can follow."""

    text: str
    attempt: int
    complete: bool

    def __str__(self) -> str:
        return self.text


def logs(run: Run, *, attempt: int | None = None) -> Flow[RunLog]:
    """Return what a run's training has printed so far: of its newest attempt, or of the one named.

    Raises:
        NotFoundError: there is no such attempt, or its log is lost.
    """
    asked = without_none({"attempt": attempt})
    answer = yield Request("GET", f"/runs/{_id(run)}/logs", asked, repeatable=True)
    number, complete = answer.headers["interlock-attempt"], answer.headers["interlock-log-complete"]
    return RunLog(answer.content.decode(), int(number), complete == "true")


def cancel(run: Run) -> Flow[RunView]:
    """Cancel a queued or running run; what serves is not affected."""
    return parsed(RunView, (yield from post(f"/runs/{_id(run)}/cancel", {})))


def newest_run(model: str) -> Flow[RunView | None]:
    """Return a model's newest run that was not coalesced; waits a moment for a first one, then there is None."""
    deadline = time.monotonic() + FIRST_RUN_SECONDS
    while time.monotonic() < deadline:
        for each in (yield from runs(model)):
            if each.state != "coalesced":
                return each
        yield Pause(POLL_SECONDS)
    return None


def wait(
    run: Run,
    *,
    timeout: float = 3600,
    progress: bool | Callable[[RunView], object] = False,
    serving: bool = True,
) -> Flow[RunView]:
    """Follow a run and return it once it has ended, whatever became of it; see its ``state`` and ``reason``.

    A coalesced run is followed in the one that it joined. With ``serving``, and where its version was promoted, it is
    also waited for until the gateway's workers serve it. Short outages are waited out.

    ``progress=True`` shows bars in a notebook or terminal, for which the extra ``progress`` must be installed; a
    function is called with the run at every look.

    Raises:
        StillGoingError: the run has not ended after ``timeout`` seconds; it goes on.
    """
    deadline = time.monotonic() + timeout
    run_id = _id(run)
    with ExitStack() as display:
        show = display.enter_context(_bars()) if progress is True else progress
        while True:
            view = yield from _patiently(run_id)
            if show:
                show(view)
            if view.state == "coalesced" and view.into is not None:
                run_id = view.into
            elif view.state in ENDED:
                break
            if time.monotonic() > deadline:
                raise StillGoingError(f"run {run_id} is still {view.state} after {timeout:g} s", view)
            yield Pause(POLL_SECONDS)
    if serving and view.version is not None and (yield from promoted(view)):
        yield from _served(view.model, view.version)
    return view


def promoted(run: RunView) -> Flow[bool]:
    """Return whether a run's version is promoted; `registry` and `train_dispatch` get the gate's event separately."""
    deadline = time.monotonic() + ACCEPTED_SECONDS
    while run.version is not None:
        stage = (yield from get(VersionView, f"/models/{run.model}/versions/{run.version}")).stage
        if stage != "registered" or time.monotonic() > deadline:
            return stage == "champion"
        yield Pause(POLL_SECONDS)
    return False


def _served(model: str, version: int) -> Flow[None]:
    """Wait until every worker serves the version; not for longer than a worker takes that was killed, or cannot."""
    with suppress(NotFoundError, StillGoingError):
        yield from converged(model, version=version)


def _patiently(run: UUID | str) -> Flow[RunView]:
    """Return the run; one that is not there yet, or a service that does not answer, is waited for."""
    begin = time.monotonic()
    while True:
        try:
            return (yield from get(RunView, f"/runs/{run}"))
        except NotFoundError:
            if time.monotonic() - begin > ACCEPTED_SECONDS:
                raise
        except UnavailableError:
            if time.monotonic() - begin > OUTAGE_SECONDS:
                raise
        yield Pause(POLL_SECONDS)


def _bars() -> Any:
    with extra("progress"):
        from rich.console import Console  # noqa: PLC0415 - an extra

        from interlock_client.progress import RunSteps  # noqa: PLC0415 - needs it

    return RunSteps(Console())


def _id(run: Run) -> UUID | str:
    return run if isinstance(run, UUID | str) else run.run_id
