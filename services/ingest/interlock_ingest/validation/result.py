"""The validation result of a file, as it crosses from the checking process to the service."""

from datetime import datetime
from pathlib import Path
from typing import Any

from interlock_contracts.datasets import Finding
from pydantic import BaseModel, ConfigDict


class Parts(BaseModel):
    """Both sides of the split as Parquet files; ``cut`` is the time from which a split by time holds out."""

    model_config = ConfigDict(frozen=True)

    train: Path
    holdout: Path
    train_rows: int
    holdout_rows: int
    cut: datetime | None = None


class ValidationResult(BaseModel):
    """Accepted with both parts, or rejected with every reason; warnings and profile come either way."""

    model_config = ConfigDict(frozen=True)

    reasons: list[Finding] = []
    warnings: list[Finding] = []
    profile: dict[str, Any] = {}
    parts: Parts | None = None

    @property
    def accepted(self) -> bool:
        """Return whether the file keeps all rules."""
        return self.parts is not None
