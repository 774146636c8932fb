"""Settings of ingest."""

from datetime import timedelta
from pathlib import Path

from interlock_modeling.split import HashForm
from interlock_runtime.settings import BusSettings, DatabaseSettings, PeerSettings, StoreSettings, TelemetrySettings
from pydantic import Field


class IngestSettings(PeerSettings, BusSettings, DatabaseSettings, StoreSettings, TelemetrySettings):
    """All of ingest's settings.

    ``ingest_work_dir`` holds files while they are checked, about three times their size; by default the system's
    temporary folder. ``ingest_checks`` files are checked at once, each in a process of its own.
    ``train_dispatch_url`` is where it is asked whether a run uses a file before that is deleted; without it nobody is.
    ``ingest_hash_form`` is the form in which the rows of pipelines that are new are hashed: 2 is fast, and unknown to
    the release before this one; a pipeline keeps the form that it has.
    ``deletion_grace_seconds`` is how long the objects of a deleted file are kept for whoever still reads them.
    """

    train_dispatch_url: str | None = Field(default=None, pattern=r"^https?://[^/]+/?$")
    ingest_work_dir: Path | None = None
    ingest_checks: int = Field(default=2, ge=1, le=64)
    ingest_check_minutes: float = Field(default=60, gt=0)
    ingest_hash_form: HashForm = 1
    ingest_upload_bytes: int = Field(default=20 << 30, ge=1)
    deletion_grace_seconds: float = Field(default=3600, ge=0)

    @property
    def deletion_grace(self) -> timedelta:
        return timedelta(seconds=self.deletion_grace_seconds)
