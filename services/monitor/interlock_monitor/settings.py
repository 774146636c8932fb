"""Settings of the monitor."""

from interlock_runtime.settings import BusSettings, DatabaseSettings, PeerSettings, TelemetrySettings
from pydantic import Field


class MonitorSettings(PeerSettings, BusSettings, DatabaseSettings, TelemetrySettings):
    """All of the monitor's settings; prediction log and ground truth are kept ``prediction_log_days``."""

    prediction_log_days: float = Field(default=30, gt=0)
