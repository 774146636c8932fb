"""What prediction needs to know."""

from interlock_runtime.settings import BusSettings, DatabaseSettings, HttpSettings, StoreSettings, TelemetrySettings
from pydantic import Field


class PredictionSettings(HttpSettings, BusSettings, DatabaseSettings, StoreSettings, TelemetrySettings):
    """All of prediction's settings; ``registry_url`` is asked for what serves."""

    registry_url: str = Field(pattern=r"^https?://[^/]+/?$")
