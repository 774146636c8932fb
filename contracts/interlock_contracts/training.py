"""Events about training runs, and the job that a run hands to the trainer."""

from datetime import datetime
from typing import ClassVar, Literal, get_args
from uuid import UUID

from pydantic import Field

from interlock_contracts.event import Event
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef, Name, Ref, Sha256

RunState = Literal["queued", "running", "succeeded", "refused", "failed", "cancelled", "timed_out", "coalesced"]

RUN_STATES: tuple[RunState, ...] = get_args(RunState)


def parse_run_states(text: str | None) -> list[RunState]:
    """Return the states that a query parameter names, separated by commas; none of them where it is missing or empty.

    Raises:
        ValueError: there is no such state; the text names it, and all that are.
    """
    named = [each for each in (text or "").split(",") if each]
    if unknown := [each for each in named if each not in RUN_STATES]:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(RUN_STATES)}")
    return [state for state in RUN_STATES if state in named]


class TrainingJob(Ref):
    """Everything the trainer needs to know; stored by content and handed over as a reference."""

    run_id: UUID
    attempt: int = Field(ge=1)
    pipeline: Pipeline
    pipeline_digest: Sha256
    datasets: list[DatasetRef] = Field(min_length=1)
    traceparent: str | None = None
    commit: str | None = None
    deadline: datetime

    @property
    def prefix(self) -> str:
        """Return the one prefix that this attempt may write to by name."""
        return f"runs/{self.run_id}/{self.attempt}"


class RetrainRequested(Event):
    """A request to train a model again, whether or not there is new data."""

    type: ClassVar[str] = "retrain.requested"

    model: Name
    reason: str | None = Field(default=None, max_length=1000)
    dataset: Sha256 | None = None
    pipeline: Sha256 | None = None
    commit: str | None = Field(default=None, max_length=100)

    @property
    def subject(self) -> str:
        return f"model/{self.model}"


class _RunEvent(Event):
    run_id: UUID
    model: Name

    @property
    def subject(self) -> str:
        return f"run/{self.run_id}"


class TrainingCancelRequested(Event):
    """A request to stop a run, queued or running."""

    type: ClassVar[str] = "training.cancel_requested"

    run_id: UUID
    reason: str | None = Field(default=None, max_length=1000)

    @property
    def subject(self) -> str:
        return f"run/{self.run_id}"


class TrainingStarted(_RunEvent):
    """True once an attempt of a run has been accepted by the Ray cluster."""

    type: ClassVar[str] = "training.started"

    attempt: int = Field(ge=1)
    pipeline_digest: Sha256
    datasets: list[Sha256]


class TrainingProgressed(_RunEvent):
    """True when the trainer has come further; at most one a second per run, and losing one loses nothing."""

    type: ClassVar[str] = "training.progressed"

    attempt: int = Field(ge=1)
    counter: int = Field(ge=1)
    stage: str
    trials_done: int = Field(default=0, ge=0)
    trials_total: int = Field(default=0, ge=0)
    best_score: float | None = None
    metric: str | None = None


class TrainingCompleted(_RunEvent):
    """True once the run's manifest is there: the model is trained, exported and checked against its original."""

    type: ClassVar[str] = "training.completed"

    attempt: int = Field(ge=1)
    pipeline_digest: Sha256
    manifest: ArtifactRef
    artifact: ArtifactRef
    datasets: list[DatasetRef]


class TrainingCancelled(_RunEvent):
    """True once a caller with the right has stopped a run, which then ends in ``training.failed``; ``by`` says who."""

    type: ClassVar[str] = "training.cancelled"

    by: str
    reason: str | None = None


class TrainingFailed(_RunEvent):
    """True once a run has ended without a model; ``outcome`` is the run's final state."""

    type: ClassVar[str] = "training.failed"

    attempt: int = Field(default=0, ge=0)
    outcome: Literal["failed", "cancelled", "timed_out"]
    reason: str
