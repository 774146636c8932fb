"""Settings of train_dispatch."""

from interlock_runtime.settings import (
    BusSettings,
    DatabaseSettings,
    PeerSettings,
    RaySettings,
    TelemetrySettings,
)
from pydantic import Field


class DispatchSettings(PeerSettings, BusSettings, DatabaseSettings, RaySettings, TelemetrySettings):
    """All of the dispatcher's settings; ``ray_address`` is the head's dashboard, such as ``http://127.0.0.1:8265``."""

    ray_address: str = Field(pattern=r"^https?://[^/]+$")
    reconcile_seconds: float = Field(default=0.5, gt=0)
