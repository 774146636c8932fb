"""Pure decision functions: the next action for an observed run, its training window."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Literal, Protocol, TypeVar

from interlock_contracts.http import ProgressView
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.training_section import Window

MAX_ATTEMPTS = 3
GRACE = timedelta(seconds=10)
"""How long a manifest may lag behind the end of its job: Ray has reported FAILED for jobs that went well."""


class Action(Enum):
    """What the dispatcher does with a run."""

    WAIT = "wait"
    SUBMIT = "submit"
    ACCEPT = "accept"
    COMPLETE = "complete"
    TRY_AGAIN = "try again"
    END = "end"


@dataclass(frozen=True)
class Observation:
    """A running run as it looks now; times are timezone-aware."""

    now: datetime
    deadline: datetime
    attempt: int
    submitted: bool
    cancelled: bool
    trained: bool
    job: Literal["unknown", "alive", "ended", "unreachable"]
    manifest: Literal["absent", "succeeded", "failed"]
    job_missing_since: datetime | None


@dataclass(frozen=True)
class Decision:
    """An action; ``outcome`` and ``reason`` belong to END, ``reason`` to TRY_AGAIN too."""

    action: Action
    outcome: Literal["failed", "cancelled", "timed_out"] | None = None
    reason: str = ""


def decide(seen: Observation) -> Decision:
    """Return what to do next; the manifest is the truth, Ray's word only a hint."""
    if seen.now > seen.deadline:
        waited = "for a verdict of the gate" if seen.trained else "for the training"
        return Decision(Action.END, "timed_out", f"the deadline passed while waiting {waited}")
    if seen.trained:
        return Decision(Action.WAIT)
    if seen.manifest != "absent":
        return Decision(Action.COMPLETE) if seen.manifest == "succeeded" else Decision(Action.END, "failed")
    if seen.cancelled:
        return Decision(Action.END, "cancelled", "cancelled on request")
    return _by_job(seen)


def _by_job(seen: Observation) -> Decision:
    if seen.job == "unreachable":
        return Decision(Action.WAIT)
    if seen.job == "alive":
        return Decision(Action.WAIT if seen.submitted else Action.ACCEPT)
    if seen.job == "unknown" and not seen.submitted:
        return Decision(Action.SUBMIT)
    if seen.job_missing_since is None or seen.now - seen.job_missing_since < GRACE:
        return Decision(Action.WAIT)
    lost = "Ray has lost the job" if seen.job == "unknown" else "the job ended without a manifest"
    if seen.attempt >= MAX_ATTEMPTS:
        return Decision(Action.END, "failed", f"{lost}, {seen.attempt} times over")
    return Decision(Action.TRY_AGAIN, reason=lost)


def data_digest(pipeline: Pipeline) -> str:
    """Return the digest of target, task and data section, under which a file's rows are stored."""
    section = {"task": pipeline.task, "target": pipeline.target, "data": pipeline.data.model_dump(mode="json")}
    return hashlib.sha256(json.dumps(section, sort_keys=True).encode()).hexdigest()


class Numbered(Protocol):
    """A dataset as JSON, with its number in the order in which files were received."""

    number: int
    ref: dict[str, Any]


N = TypeVar("N", bound=Numbered)


def in_window(datasets: Sequence[N], window: Window) -> list[N]:
    """Return the datasets that a run trains on, oldest first.

    Those count that have rows to train on; of others, as of files wholly after the watermark, all held-out rows of the
    same time go along. Where none of them has held-out rows, as late files, it reaches back to the newest that has.
    """
    ordered = sorted(datasets, key=lambda dataset: dataset.number)
    if window == "all":
        return ordered
    wanted = 1 if window == "latest" else window
    counted = [place for place, each in enumerate(ordered) if each.ref["train_rows"]]
    start = counted[-wanted] if len(counted) >= wanted else 0
    while start and not any(each.ref["holdout_rows"] for each in ordered[start:]):
        start -= 1
    return ordered[start:]


def progress_at_end(manifest: TrainingManifest, counter: int) -> dict[str, Any]:
    """Return the progress of a training that is over, as JSON: its last reports may not have been observed.

    A search that had nothing to do, or stopped early, had no more trials than those that there are.
    """
    trials = len(manifest.trials)
    view = ProgressView(
        counter=counter,
        stage="export",
        trials_done=trials,
        trials_total=trials,
        best_score=manifest.score,
        metric=manifest.metric,
        candidate=manifest.winner,
        params={name: str(value).replace("\0", "\N{REPLACEMENT CHARACTER}") for name, value in manifest.params.items()},
    )
    progress: dict[str, Any] = json.loads(view.model_dump_json())
    return progress
