"""Retention of predictions, files and versions: the pipeline file's ``monitoring`` and ``retention``."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from interlock_contracts.data import Section

BY_RETENTION = "pipeline/retention"
"""Who deletes by declaration, in audit log, events and tombstones; no key and no user has such a name."""


class Monitoring(Section):
    """What is kept of a model's predictions; the deployment decides what is left out."""

    prediction_log_days: float | None = Field(default=None, gt=0, le=36_500)
    """How long logged predictions and their ground truth are kept."""


class Keep(Section):
    """What is kept: the newest ``keep_last``, and what is younger than ``keep_days``; of both, either is enough."""

    keep_last: int | None = Field(default=None, ge=1, le=1_000_000)
    keep_days: float | None = Field(default=None, ge=1, le=36_500)

    def is_past(self, *, newer: int, age: timedelta) -> bool:
        """Return whether something of this ``age``, than which so many are ``newer``, is kept no longer."""
        among_last = self.keep_last is not None and newer < self.keep_last
        young = self.keep_days is not None and age < timedelta(days=self.keep_days)
        return not (among_last or young)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.keep_last is None and self.keep_days is None:
            raise ValueError("say keep_last: how many are kept, keep_days: for how long, or both")
        return self


class Retention(Section):
    """What is deleted by itself once it is past this; without a declaration all is kept."""

    datasets: Keep | None = None
    versions: Keep | None = None
    experiments: Keep | None = Field(default=None, exclude_if=lambda value: value is None)
    """Branches of experiments, deleted by `interlock experiments prune`."""
