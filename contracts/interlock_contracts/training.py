"""Events about training runs, and the job that a run hands to the trainer."""

from datetime import datetime
from typing import ClassVar, Literal, get_args
from uuid import UUID

from pydantic import Field

from interlock_contracts.event import Envelope, Event
from interlock_contracts.filters import chosen
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import MAX_CALLER, ArtifactRef, DatasetRef, Name, Ref, Sha256
from interlock_contracts.tags import Tags

RunState = Literal["queued", "running", "succeeded", "refused", "failed", "cancelled", "timed_out", "coalesced"]

GATEWAY_USER = "interlock_gateway"
"""The broker's user of the only service that asks in the name of a caller."""

RUN_STATES: tuple[RunState, ...] = get_args(RunState)


def parse_run_states(text: str | None) -> list[RunState]:
    """Return the states that a query parameter names, separated by commas; none of them where it is missing or empty.

    Raises:
        ValueError: there is no such state; the text names it, and all that are.
    """
    return chosen(text, RUN_STATES)


class TrainingJob(Ref):
    """Everything the trainer needs to know; stored by content and handed over as a reference.

    ``imported`` is a model's folder as a tar archive: then it is translated and compared, and nothing is trained.
    """

    run_id: UUID
    attempt: int = Field(ge=1)
    pipeline: Pipeline
    pipeline_digest: Sha256
    datasets: list[DatasetRef] = Field(min_length=1)
    traceparent: str | None = None
    commit: str | None = None
    imported: ArtifactRef | None = None
    deadline: datetime

    @property
    def prefix(self) -> str:
        """Return the one prefix that this attempt may write to by name."""
        return f"runs/{self.run_id}/{self.attempt}"


def _text(words: str | None) -> str | None:
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}") if words else words


class RetrainRequested(Event):
    """A request to train a model again, whether or not there is new data.

    ``by`` is the name of the caller's key or user; it counts only where the gateway published the request. ``tags`` are
    kept with the run.
    """

    type: ClassVar[str] = "retrain.requested"

    model: Name
    reason: str | None = Field(default=None, max_length=1000)
    dataset: Sha256 | None = None
    pipeline: Sha256 | None = None
    commit: str | None = Field(default=None, max_length=100)
    by: str | None = Field(default=None, max_length=MAX_CALLER)
    tags: Tags | None = None

    @property
    def subject(self) -> str:
        return f"model/{self.model}"

    def requested_by(self, envelope: Envelope, publisher: str | None) -> str | None:
        """Return who asked: the caller that the gateway names, else the source of the event, marked as such.

        ``publisher`` is the broker's user that published it: an event from outside cannot name a key.
        None is a gateway of the last release, which named no caller.
        """
        return _text(self.by) if publisher == GATEWAY_USER else f"event/{envelope.source}"

    @property
    def why(self) -> str | None:
        """Return the reason as a database can store it: a NUL is no text."""
        return _text(self.reason)


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


class TrainingQueued(_RunEvent):
    """True once a request has been recorded as a run, whatever its state; ``by`` says who asked.

    A run that coalesces with a queued one, or fails at once, has this event as well.
    """

    type: ClassVar[str] = "training.queued"

    by: str
    reason: str | None = None


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
    """True once the run's manifest is there: the model is trained, exported and checked against its original.

    ``evaluation`` is the file on which it is judged, None where that is what was held out of ``datasets``.
    """

    type: ClassVar[str] = "training.completed"

    attempt: int = Field(ge=1)
    pipeline_digest: Sha256
    manifest: ArtifactRef
    artifact: ArtifactRef
    datasets: list[DatasetRef]
    evaluation: DatasetRef | None = None


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
