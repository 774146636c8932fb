"""Settings of the registry."""

from datetime import timedelta

from interlock_runtime.settings import BusSettings, DatabaseSettings, HttpSettings, StoreSettings, TelemetrySettings
from pydantic import Field, SecretStr


class RegistrySettings(HttpSettings, BusSettings, DatabaseSettings, StoreSettings, TelemetrySettings):
    """All of the registry's settings; ``signing_key`` signs promotions and belongs to this service alone.

    ``deletion_grace_seconds`` is how long the objects of a deleted version are kept for whoever still reads them.
    ``train_dispatch_url`` is where it is asked, with ``service_key``, whether a run of a model is under way before that
    is deleted; without both nobody is asked, and the run ends as failed.
    """

    train_dispatch_url: str | None = Field(default=None, pattern=r"^https?://[^/]+/?$")
    service_key: SecretStr | None = Field(default=None, min_length=16)
    signing_key: SecretStr
    signing_public_key: str
    deletion_grace_seconds: float = Field(default=3600, ge=0)

    @property
    def deletion_grace(self) -> timedelta:
        return timedelta(seconds=self.deletion_grace_seconds)
