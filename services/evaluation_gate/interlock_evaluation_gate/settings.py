"""What the gate needs to know."""

from interlock_runtime.settings import BusSettings, HttpSettings, StoreSettings, TelemetrySettings


class GateSettings(HttpSettings, BusSettings, StoreSettings, TelemetrySettings):
    """All of the gate's settings."""
