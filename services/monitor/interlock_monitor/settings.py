"""Settings of the monitor."""

from interlock_runtime.settings import BusSettings, DatabaseSettings, PeerSettings, TelemetrySettings
from pydantic import Field


class MonitorSettings(PeerSettings, BusSettings, DatabaseSettings, TelemetrySettings):
    """All of the monitor's settings; ``prediction_log_days`` is how long prediction log and ground truth are kept.

    A pipeline may say otherwise of its model, ``monitoring: {prediction_log_days: 90}``.
    """

    prediction_log_days: float = Field(default=30, gt=0)
