"""What prediction needs to know."""

from interlock_runtime.settings import BusSettings, DatabaseSettings, HttpSettings, StoreSettings, TelemetrySettings
from pydantic import Field


class PredictionSettings(HttpSettings, BusSettings, DatabaseSettings, StoreSettings, TelemetrySettings):
    """All of prediction's settings; ``registry_url`` is asked for what serves.

    ``prediction_log_days`` is how long the prediction log and ground truth are kept.
    """

    registry_url: str = Field(pattern=r"^https?://[^/]+/?$")
    prediction_log_days: float = Field(default=30, gt=0)
