"""Events about predictions that nobody waits for: asked, answered, logged, and what turned out to be true."""

from datetime import datetime
from typing import Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from interlock_contracts.event import Event
from interlock_contracts.refs import ArtifactRef, Name, Ref, Sha256

Format = Literal["json", "jsonl", "csv", "parquet"]
"""How the rows of an object are written; ``json`` is the body of a request, ``{"rows": [...]}``."""

PredictionState = Literal["queued", "running", "completed", "failed", "cancelled", "expired"]

INLINE_BYTES = 64 * 1024
"""Rows or answers up to so many bytes of JSON ride in the event; larger ones lie in the object store."""

MAX_TTL_SECONDS = 30 * 24 * 3600


class Webhook(Ref):
    """Where to tell that a prediction has ended; signed with the secret of this address's origin, never sent along."""

    url: str = Field(min_length=8, max_length=2048, pattern=r"^https?://")


class RowFault(Ref):
    """Why one row cannot be answered; rows count from 0."""

    row: int = Field(ge=0)
    column: str | None = None
    message: str


class _PredictionEvent(Event):
    prediction_id: UUID
    model: Name

    @property
    def subject(self) -> str:
        """Return the prediction's subject."""
        return f"prediction/{self.prediction_id}"


class PredictionRequested(_PredictionEvent):
    """A request to answer rows with the version that serves when they are answered; row ``i`` is ``<id>/<i>``.

    The rows are either here or in ``input``, an object of the store. ``request_sha256`` is of the rows as they came
    in: the same prediction asked with other rows is noticed by it.
    """

    type: ClassVar[str] = "prediction.requested"

    request_sha256: Sha256
    rows: list[dict[str, Any]] | None = Field(default=None, min_length=1, max_length=10_000)
    input: ArtifactRef | None = None
    format: Format = "json"
    ttl_seconds: int = Field(default=24 * 3600, ge=1, le=MAX_TTL_SECONDS)
    webhook: Webhook | None = None

    @model_validator(mode="after")
    def _rows_or_input(self) -> Self:
        if (self.rows is None) == (self.input is None):
            raise ValueError("a request has either rows or an input, not both")
        return self


class PredictionCompleted(_PredictionEvent):
    """True once every row is answered by ``version`` and the answer is kept until ``expires_at``.

    ``answer`` is what ``/predict`` would have answered; a large one lies in ``result``, as ``result_format``.
    """

    type: ClassVar[str] = "prediction.completed"

    version: int = Field(ge=1)
    rows: int = Field(ge=0)
    answer: dict[str, Any] | None = None
    result: ArtifactRef | None = None
    result_format: Literal["json", "parquet"] = "json"
    expires_at: datetime


class PredictionFailed(_PredictionEvent):
    """True once it is certain that there will be no answer; ``outcome`` is the prediction's final state."""

    type: ClassVar[str] = "prediction.failed"

    outcome: Literal["failed", "cancelled"] = "failed"
    reason: str = Field(max_length=2000)
    errors: list[RowFault] = Field(default=[], max_length=100)


class LoggedPrediction(Ref):
    """One answered row: its name ``<id>/<i>``, what was asked, and what was answered."""

    prediction: str = Field(max_length=64, pattern=r"^[0-9a-f-]{36}/[0-9]+$")
    row: dict[str, Any]
    value: Any
    probabilities: dict[str, float] | None = None
    at: datetime


class PredictionLogged(Event):
    """True once a gateway worker has answered these rows; a sample, and lossy by choice.

    ``dropped`` counts the sampled rows that the worker had to forget since its event before this one; ``fraction``
    is the share of all rows that is sampled.
    """

    type: ClassVar[str] = "prediction.logged"

    model: Name
    version: int = Field(ge=1)
    worker: str
    predictions: list[LoggedPrediction] = Field(min_length=1, max_length=1000)
    fraction: float = Field(default=1.0, gt=0, le=1)
    dropped: int = Field(default=0, ge=0)

    @property
    def subject(self) -> str:
        """Return the model's subject."""
        return f"model/{self.model}"


class Feedback(Ref):
    """What turned out to be true for one row that was or will be predicted; ``prediction`` is ``<id>/<i>``."""

    prediction: str = Field(max_length=64, pattern=r"^[0-9a-f-]{36}/[0-9]+$")
    actual: Any
    at: datetime | None = None


class FeedbackReceived(Event):
    """True once somebody with a key has told what turned out to be true, early or late."""

    type: ClassVar[str] = "feedback.received"

    model: Name
    feedback_id: UUID
    feedback: list[Feedback] = Field(min_length=1, max_length=1000)
    received_at: datetime

    @property
    def subject(self) -> str:
        """Return the feedback's subject."""
        return f"feedback/{self.feedback_id}"
