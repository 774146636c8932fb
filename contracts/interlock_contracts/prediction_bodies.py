"""Bodies of the REST API about predictions that are answered later, of rows and of whole files."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from interlock_contracts.http import Body, Request
from interlock_contracts.predictions import MAX_ROWS, MAX_TTL_SECONDS, PredictionState, RowFault, Webhook
from interlock_contracts.refs import Sha256
from interlock_contracts.scoring import ScoringProgress


class WantedWebhook(Webhook):
    """A webhook for the end of the prediction; as in :class:`Request`, a misspelt field is an error."""

    model_config = ConfigDict(extra="forbid")


class RowsPredictionRequest(Request):
    """Rows to be answered later, as the model's signature has them; ``ttl_seconds`` is how long to keep the result."""

    rows: list[Any] = Field(min_length=1, max_length=MAX_ROWS, json_schema_extra={"items": {"type": "object"}})
    webhook: WantedWebhook | None = None
    ttl_seconds: int = Field(default=24 * 3600, ge=1, le=MAX_TTL_SECONDS)


class DatasetPredictionRequest(Request):
    """Batch scoring of a stored dataset; ``ttl_seconds`` is how long to keep the result, else the service's setting."""

    dataset: Sha256
    webhook: WantedWebhook | None = None
    ttl_seconds: int | None = Field(default=None, ge=1, le=MAX_TTL_SECONDS)


class PredictionLinks(Body):
    """Addresses of a prediction: its state, its events, its cancellation, its result."""

    self: str
    events: str
    cancel: str
    result: str | None = None

    @classmethod
    def of(cls, prediction_id: UUID) -> Self:
        address = f"/predictions/{prediction_id}"
        return cls(self=address, events=f"{address}/events", cancel=f"{address}/cancel")


class PredictionAccepted(Body):
    """The answer to an asynchronous request: it is on the bus, and its result will be at ``links``."""

    id: UUID
    state: PredictionState = "queued"
    links: PredictionLinks


class WebhookView(Body):
    """The delivery of a webhook; ``status`` is what the receiver answered last."""

    url: str
    state: str
    attempts: int
    status: int | None = None
    error: str | None = None
    delivered_at: datetime | None = None


class WebhookSecret(Body):
    """What signs the webhooks to one origin, as Standard Webhooks write a secret."""

    origin: str
    secret: str


class PredictionView(Body):
    """One asynchronous prediction; ``answer`` is what ``/predict`` would have answered, and gone once expired.

    A file has ``progress``; ``unanswered`` rows did not fit, ``warnings`` name the optional columns that it does not
    have, and ``schedule`` names the batch that asked for it.
    """

    id: UUID
    model: str | None = None
    state: PredictionState
    version: int | None = None
    rows: int | None = None
    answer: dict[str, Any] | None = None
    reason: str | None = None
    errors: list[RowFault] = []
    request_sha256: Sha256 | None = None
    requested_at: datetime
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    progress: ScoringProgress | None = None
    unanswered: int | None = None
    warnings: list[str] = []
    schedule: str | None = None
    webhook: WebhookView | None = None
    trace_id: str | None = None
    links: PredictionLinks
