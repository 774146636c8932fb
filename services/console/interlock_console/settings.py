"""Settings of the console."""

from interlock_contracts.deployment import SERVICES
from interlock_runtime.settings import BusSettings, DatabaseSettings, PeerSettings, TelemetrySettings
from pydantic import Field

_HTTP = r"^https?://[^/]+/?$"


class ConsoleSettings(PeerSettings, BusSettings, DatabaseSettings, TelemetrySettings):
    """All of the console's settings.

    ``console_url`` is its public address, ``gateway_url`` where requests are forwarded to. Events, runs and spans are
    kept for ``console_days``. The health of a service whose address is not set is shown as unknown.
    """

    console_url: str = Field(default="http://127.0.0.1:8080", pattern=_HTTP)
    gateway_url: str = Field(pattern=_HTTP)
    ingest_url: str | None = Field(default=None, pattern=_HTTP)
    train_dispatch_url: str | None = Field(default=None, pattern=_HTTP)
    evaluation_gate_url: str | None = Field(default=None, pattern=_HTTP)
    prediction_url: str | None = Field(default=None, pattern=_HTTP)
    monitor_url: str | None = Field(default=None, pattern=_HTTP)
    console_days: int = Field(default=30, ge=1)

    @property
    def peer_urls(self) -> dict[str, str | None]:
        """Return the address of every service, in the order of the flow; the console's own is its public one."""
        urls: dict[str, str | None] = {each.name: getattr(self, f"{each.name}_url") for each in SERVICES}
        return urls
