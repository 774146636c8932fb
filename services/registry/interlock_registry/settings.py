"""What the registry needs to know."""

from interlock_runtime.settings import BusSettings, DatabaseSettings, HttpSettings, StoreSettings, TelemetrySettings
from pydantic import SecretStr


class RegistrySettings(HttpSettings, BusSettings, DatabaseSettings, StoreSettings, TelemetrySettings):
    """All of the registry's settings; ``signing_key`` signs promotions and belongs to this service alone."""

    signing_key: SecretStr
    signing_public_key: str
