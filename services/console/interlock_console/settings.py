"""Settings of the console."""

from interlock_runtime.settings import BusSettings, DatabaseSettings, PeerSettings, TelemetrySettings
from pydantic import Field


class ConsoleSettings(PeerSettings, BusSettings, DatabaseSettings, TelemetrySettings):
    """All of the console's settings.

    ``console_url`` is its public address, ``gateway_url`` where requests are forwarded to. Events, runs and spans are
    kept for ``console_days``.
    """

    console_url: str = Field(default="http://127.0.0.1:8080", pattern=r"^https?://[^/]+/?$")
    gateway_url: str = Field(pattern=r"^https?://[^/]+/?$")
    console_days: int = Field(default=30, ge=1)
