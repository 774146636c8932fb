"""Bodies of the REST API about live quality: feedback (ground truth) in, metrics by time window out."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, FiniteFloat, StringConstraints

from interlock_contracts.gate import MetricName
from interlock_contracts.http import Body, Request


class FeedbackRequest(Request):
    """What turned out to be true: each entry is ``{"prediction": "<id>/<i>", "actual": value}``."""

    feedback: list[dict[str, Any]] = Field(min_length=1, max_length=10_000)


class EraseRequest(Request):
    """Which rows of the prediction log are erased: those whose ``column`` has ``value``, however it is written."""

    column: str = Field(min_length=1, max_length=200)
    value: bool | int | FiniteFloat | Annotated[str, StringConstraints(max_length=10_000)]


class ErasedView(Body):
    """How many ``rows`` of the prediction log were erased, and ground ``truths`` of them."""

    model: str
    column: str
    rows: int
    truths: int


class FeedbackWarning(Body):
    """What is unusual about an entry that counts nevertheless; rows count from 0."""

    row: int
    field: str
    message: str


class FeedbackAccepted(Body):
    """How many entries were taken; ``unsampled`` of them are about requests that the log leaves out by its ratio."""

    accepted: int
    unsampled: int = 0
    warnings: list[FeedbackWarning] = []


class Measured(Body):
    """What is known about some predictions of one version.

    ``answered`` counts rows of all requests, ``dropped`` those that the log should hold and lost, ``logged`` those
    that it holds, ``joined`` those whose ground truth is known; ``coverage`` is joined / answered. ``metrics`` are
    over ``n`` joined rows, None where one is not defined.
    """

    answered: int = 0
    dropped: int = 0
    logged: int = 0
    joined: int = 0
    coverage: float | None = None
    n: int = 0
    metrics: dict[MetricName, float | None] = {}


class QualityBucket(Measured):
    """The predictions from ``start`` on, as long as a bucket is."""

    start: datetime


class VersionQuality(Measured):
    """The predictions of one version within the window, and the same by time, the oldest bucket first."""

    version: int
    buckets: list[QualityBucket] = []


class QualityView(Body):
    """How a model's predictions turned out; ``unmatched`` counts truths about rows that the log does not hold."""

    model: str
    since: datetime
    until: datetime
    bucket_seconds: int
    unmatched: int = 0
    versions: list[VersionQuality] = []
