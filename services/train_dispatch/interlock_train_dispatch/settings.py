"""What the dispatcher needs to know."""

import sys

from interlock_runtime.settings import (
    BusSettings,
    DatabaseSettings,
    PeerSettings,
    RaySettings,
    TelemetrySettings,
)
from pydantic import Field


class DispatchSettings(PeerSettings, BusSettings, DatabaseSettings, RaySettings, TelemetrySettings):
    """All of the dispatcher's settings.

    ``ray_address`` is the head's dashboard, for instance ``http://127.0.0.1:8265``; ``trainer_python`` is the
    interpreter on the cluster that has ``interlock_trainer`` installed.
    """

    ray_address: str = Field(pattern=r"^https?://[^/]+$")
    trainer_python: str = sys.executable
    reconcile_seconds: float = Field(default=0.5, gt=0)
