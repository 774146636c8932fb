"""Settings of prediction."""

import os
import tempfile
from pathlib import Path

from interlock_runtime.settings import (
    BusSettings,
    DatabaseSettings,
    PeerSettings,
    RaySettings,
    TelemetrySettings,
)
from pydantic import Field, SecretStr


class PredictionSettings(PeerSettings, BusSettings, DatabaseSettings, RaySettings, TelemetrySettings):
    """All of prediction's settings; promoted versions are read from the registry at ``registry_url``.

    ``signing_public_key`` holds the keys that verify promotion signatures, in PEM.

    ``prediction_log_ratio`` of all asynchronous requests are sampled into the prediction log, in the long run at most
    ``prediction_log_rows_per_second`` of one model and replica.
    ``prediction_model_memory`` limits the bytes of loaded models in one replica, ``prediction_batch`` the requests of
    one batch. The secrets that sign webhooks are derived from ``webhook_secret``, by default from this service's own
    key; with ``webhook_private`` they may go to addresses that are not public.

    Files of ``batch_ray_bytes`` or more are scored on the cluster at ``ray_address``, if there is one, by its
    interpreter ``trainer_python``; smaller ones here, ``batch_scorers`` at once, in ``batch_work_dir`` (by default the
    system's temporary folder), which then holds about twice their size. Results are kept ``batch_keep_hours``.
    """

    cache_dir: Path = Path(tempfile.gettempdir()) / f"interlock-models-{os.getuid()}"
    signing_public_key: str
    prediction_batch: int = Field(default=256, ge=1, le=2000)
    prediction_model_memory: int = Field(default=2 * 1024**3, gt=0)
    prediction_validation_seconds: float = Field(default=60, gt=0)
    webhook_secret: SecretStr | None = Field(default=None, min_length=16)
    webhook_private: bool = False
    prediction_log_ratio: float = Field(default=1.0, ge=0, le=1)
    prediction_log_rows_per_second: float = Field(default=20.0, gt=0)
    ingest_url: str = Field(pattern=r"^https?://[^/]+/?$")
    ray_address: str | None = Field(default=None, pattern=r"^https?://[^/]+$")
    batch_ray_bytes: int = Field(default=256 << 20, ge=1)
    batch_scorers: int = Field(default=1, ge=1, le=64)
    batch_upload_bytes: int = Field(default=20 << 30, ge=1)
    batch_work_dir: Path | None = None
    batch_keep_hours: float = Field(default=7 * 24, gt=0)
