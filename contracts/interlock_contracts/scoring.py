"""Batch scoring between `prediction` and the job that answers a whole file: the job, its progress, its report."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from interlock_contracts.data import Data
from interlock_contracts.predictions import Actual, RowFault
from interlock_contracts.refs import ArtifactRef, ModelRef, Ref

OnError = Literal["fail", "null"]
"""What becomes of a row that does not fit: the whole file fails, or the row gets no answer and an ``error``."""


class ScoringJob(Ref):
    """Everything the scorer needs to know; stored by content and handed over as a reference.

    ``data`` says the format of ``input``, its dialect, and the types of columns that are no features; features have
    the types of the model's own signature. ``log`` is the share of the answered rows that are to be in the prediction
    log, under the model's ``promotion_seq``. With ``row_ids`` the answer names each row, ``<id>/<row>``; jobs of
    release 0.1 go on without.
    """

    prediction_id: UUID
    model: ModelRef
    input: ArtifactRef
    data: Data
    on_error: OnError = "fail"
    log: float = Field(default=0, ge=0, le=1)
    promotion_seq: int = Field(default=1, ge=1)
    row_ids: bool = False

    @property
    def prefix(self) -> str:
        """Return the one prefix that the job may write to by name."""
        return f"predictions/{self.prediction_id}"

    def logged_key(self, part: int) -> str:
        """Return the key of a part's rows for the prediction log, where it has any: a line each, a ``ScoredRow``."""
        return f"{self.prefix}/logged/{part:06}.jsonl"


class ScoredRow(Ref):
    """One answered row for the prediction log: its place in the file, from 0, and what is logged of it.

    ``values`` stand in the order of the model's features, ``probabilities`` in that of its labels.
    """

    row: int
    values: list[Any]
    answer: Actual
    probabilities: list[float] | None = None


class ScoringPart(Ref):
    """One part of the answer, written once it is stored; parts lie in the order of the file, from 0."""

    number: int = Field(ge=0)
    rows: int = Field(ge=1)
    unanswered: int = Field(default=0, ge=0)
    answer: ArtifactRef


class ScoringProgress(Ref):
    """How far a job is; of a text file ``rows_total`` counts lines, which may be a few more."""

    rows: int = Field(ge=0)
    rows_total: int = Field(ge=0)
    parts: int = Field(ge=0)


class ScoringReport(Ref):
    """Written once, as a job's very last step; ``failed`` is the file's own fault, so another try would not help.

    ``result`` is a Parquet file: the rows of the input in their order, with the model's answer to each. It is joined
    of ``parts``, and ``log`` is the share of the answered rows that these hold for the prediction log. ``warnings``
    name optional columns that the file does not have.
    """

    status: Literal["succeeded", "failed"]
    reason: str | None = Field(default=None, max_length=2000)
    errors: list[RowFault] = Field(default=[], max_length=100)
    rows: int = Field(default=0, ge=0)
    unanswered: int = Field(default=0, ge=0)
    result: ArtifactRef | None = None
    parts: int = Field(default=0, ge=0)
    log: float = Field(default=0, ge=0, le=1)
    warnings: list[str] = Field(default=[], max_length=100)
