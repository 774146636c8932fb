"""Batches: the files that a pipeline has answered on a schedule."""

from typing import Literal

from pydantic import Field, field_validator

from interlock_contracts.cron import Cron
from interlock_contracts.data import Fraction, Section
from interlock_contracts.refs import Name


class Batch(Section):
    """A file that is answered again and again: ``schedule`` is a cron line of five fields, in UTC.

    The input is the dataset that was accepted last or, where ``object`` names one, that object of our own bucket,
    read as ``format`` (else as ``data.format``); its key is below ``incoming/<pipeline>/``. The share ``log`` of its
    rows is in the prediction log, so that ground truth about them counts.
    """

    name: Name
    schedule: str = Field(max_length=100)
    object: str | None = Field(default=None, min_length=1, max_length=500)
    format: Literal["csv", "jsonl", "parquet"] | None = None
    on_error: Literal["fail", "null"] = "fail"
    log: Fraction = Field(default=0.0, exclude_if=lambda value: value == 0)

    @field_validator("schedule")
    @classmethod
    def _schedule_is_cron(cls, value: str) -> str:
        Cron(value)
        return value
