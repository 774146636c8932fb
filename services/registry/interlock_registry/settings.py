"""What the registry needs to know."""

from interlock_runtime.settings import BusSettings, DatabaseSettings, HttpSettings, StoreSettings, TelemetrySettings


class RegistrySettings(HttpSettings, BusSettings, DatabaseSettings, StoreSettings, TelemetrySettings):
    """All of the registry's settings."""
