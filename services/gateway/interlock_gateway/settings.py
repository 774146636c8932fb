"""Settings of the gateway."""

import os
import tempfile
from pathlib import Path

from interlock_contracts.refs import Name
from interlock_contracts.stages import PRODUCTION, StageName
from interlock_runtime.settings import BusSettings, PeerSettings, StoreSettings, TelemetrySettings
from pydantic import Field

_HALF_THE_MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
_HTTP = r"^https?://[^/]+/?$"


class GatewaySettings(PeerSettings, BusSettings, StoreSettings, TelemetrySettings):
    """All of the gateway's settings; ``cache_dir`` is where loaded models are kept, private to this user.

    ``signing_public_key`` holds the keys whose signatures of promotions count, in PEM.

    What is promoted to ``stage`` serves; a pipeline that has no such stage does not serve here.

    Without ``fast_path`` every prediction takes the ordinary route: the same answers, slower.

    With ``rate_limit`` a caller may send so many requests a second to each worker, and ``rate_burst`` at once.

    ``prediction_log_ratio`` of all requests are in the prediction log (0 switches it off), in the long run at most
    ``prediction_log_rows_per_second`` of one model and worker.
    """

    stage: StageName = PRODUCTION
    grpc_port: int | None = Field(default=None, ge=1, le=65535)
    mlflow_model: Name | None = None
    mlflow_open: bool = False
    gateway_workers: int = Field(default=2, ge=1, le=64)
    ingest_url: str = Field(pattern=_HTTP)
    train_dispatch_url: str = Field(pattern=_HTTP)
    prediction_url: str = Field(pattern=_HTTP)
    monitor_url: str = Field(pattern=_HTTP)
    cache_dir: Path = Path(tempfile.gettempdir()) / f"interlock-models-{os.getuid()}"
    signing_public_key: str
    gateway_reconcile_seconds: float = Field(default=10.0, gt=0)
    fast_path: bool = True
    predict_sample_ratio: float = Field(default=0.01, ge=0, le=1)
    predict_room: int = Field(default=1024, ge=1)
    rate_limit: float | None = Field(default=None, gt=0)
    rate_burst: int = Field(default=100, ge=1)
    gateway_model_memory: int = Field(default=_HALF_THE_MEMORY, gt=0)
    gateway_validation_seconds: float = Field(default=120.0, gt=0)
    prediction_log_ratio: float = Field(default=1.0, ge=0, le=1)
    prediction_log_rows_per_second: float = Field(default=20.0, gt=0)

    @property
    def state_dir(self) -> Path:
        """Return where this host's workers keep what they share: of its own for each stage."""
        return self.cache_dir if self.stage == PRODUCTION else self.cache_dir / "stages" / self.stage
