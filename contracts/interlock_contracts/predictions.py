"""Events about predictions: asynchronous ones requested and completed, the prediction log, and ground truth."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from pydantic import (
    AllowInfNan,
    Field,
    Strict,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from interlock_contracts.buckets import in_share
from interlock_contracts.event import NAMESPACE, Event
from interlock_contracts.refs import ArtifactRef, Name, Ref, Sha256

_LOG = b"prediction log"
"""The salt of the log's sample, so that no share of an experiment is part of it."""

Format = Literal["json", "jsonl", "csv", "parquet"]
"""How the rows of an object are written; ``json`` is the body of a request, ``{"rows": [...]}``."""

PredictionState = Literal["queued", "running", "completed", "failed", "cancelled", "expired"]

INLINE_BYTES = 64 * 1024
"""Rows or answers up to so many bytes of JSON ride in the event; larger ones lie in the object store."""

MAX_ROWS = 10_000
"""Rows in one request."""

MAX_TTL_SECONDS = 30 * 24 * 3600

Label = StrictBool | StrictInt | StrictStr
"""A class as it stands in the data: ``true``, ``1`` and ``"1"`` are three different labels."""

Actual = StrictBool | StrictInt | Annotated[float, Strict(), AllowInfNan(False)] | StrictStr
"""A target value: a number, or a label."""

RowName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,64}/(0|[1-9][0-9]{0,8})$")]
"""The name of one predicted row: ``<id>/<i>``, the answer's id and the row's place in it, from 0."""


class Webhook(Ref):
    """Where to post that a prediction has ended; signed with the secret of this address's origin, never sent along."""

    url: str = Field(min_length=8, max_length=2048, pattern=r"^https?://[^/@?\\\s]+([/?]|$)")

    @field_validator("url")
    @classmethod
    def _names_a_host_and_a_port(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.port == 0 or not (parts.hostname or "").encode("idna"):
            raise ValueError("no host, or no port, has this address")
        return url


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
        return f"prediction/{self.prediction_id}"


class PredictionRequested(_PredictionEvent):
    """A request to answer rows with the version that serves when they are answered; row ``i`` is ``<id>/<i>``.

    The rows are either here or in ``input``, an object of the store. ``request_sha256`` is of the rows as they came
    in: the same prediction asked with other rows is noticed by it.
    """

    type: ClassVar[str] = "prediction.requested"

    request_sha256: Sha256
    rows: list[dict[str, Any]] | None = Field(default=None, min_length=1, max_length=MAX_ROWS)
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
    """One answered row: its name ``<id>/<i>``, what was asked, and what was answered.

    ``values`` stand in the order of the event's ``features``, None where the row had none; ``probabilities`` in the
    order of its ``labels``.
    """

    prediction: RowName
    at: datetime
    values: list[Any]
    answer: Actual
    probabilities: list[float] | None = None


class PredictionLogged(Event):
    """True once a worker has published its sample of what one version has answered lately.

    Best-effort, and its losses are counted: the version has answered ``answered`` rows since the worker's event before
    this one, and ``dropped`` of those belong to the sample, the share ``ratio`` of all requests, but are lost.
    """

    type: ClassVar[str] = "prediction.logged"

    model: Name
    version: int = Field(ge=1)
    promotion_seq: int = Field(ge=1)
    worker: str
    until: datetime
    ratio: float = Field(gt=0, le=1)
    answered: int = Field(ge=0)
    dropped: int = Field(default=0, ge=0)
    features: list[str] = Field(min_length=1)
    labels: list[Label] | None = None
    rows: list[LoggedPrediction] = Field(default=[], max_length=1000)

    @property
    def subject(self) -> str:
        return f"model/{self.model}"


def sampled(request_id: str, ratio: float) -> bool:
    """Return whether the log's sample of ``ratio`` has a request: by its id alone, so alike in every process."""
    return in_share(request_id, ratio, _LOG)


class Feedback(Ref):
    """What turned out to be true for one row that was, or will be known to have been, predicted."""

    prediction: RowName
    actual: Actual


class FeedbackReceived(Event):
    """True once a caller with a key has sent ground truth, early or late; the newest value counts."""

    type: ClassVar[str] = "feedback.received"

    model: Name
    feedback: list[Feedback] = Field(min_length=1, max_length=1000)
    at: datetime

    @property
    def subject(self) -> str:
        return f"model/{self.model}"


class PredictionsErased(Event):
    """True once ``monitor`` has erased the logged rows of which ``column`` had a value, and their ground truth.

    The value is left out, as it identifies the subject; ``by`` says who asked.
    """

    type: ClassVar[str] = "predictions.erased"

    model: Name
    column: str
    rows: int = Field(ge=0)
    truths: int = Field(ge=0)
    by: str

    @property
    def subject(self) -> str:
        return f"model/{self.model}"


def prediction_id(model: str, key: str) -> UUID:
    """Return the id of the prediction that was asked with an ``Idempotency-Key``."""
    return uuid5(NAMESPACE, f"prediction|{model}|{key}")
