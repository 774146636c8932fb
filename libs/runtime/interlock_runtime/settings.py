"""Setting groups, read from ``INTERLOCK_*`` variables; a service composes only what it needs."""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, PostgresDsn, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "INTERLOCK_"


class _FileSource(PydanticBaseSettingsSource):
    """Reads ``INTERLOCK_NAME`` from the file that ``INTERLOCK_NAME_FILE`` names, as container secrets come."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        return (Path(path).read_text().strip() if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


class Settings(BaseSettings):
    """Base of all groups: ``INTERLOCK_NAME``, or ``INTERLOCK_NAME_FILE`` with the value in a file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return arguments, variables and secret files, in this order of precedence."""
        return init_settings, env_settings, _FileSource(settings_cls)


class HttpSettings(Settings):
    """Where this process listens, and the key that every route but health asks for."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    api_key: SecretStr = Field(min_length=16)


class BusSettings(Settings):
    """The broker."""

    amqp_url: SecretStr


class DatabaseSettings(Settings):
    """The database; every service keeps to the schema of its own name."""

    postgres_url: PostgresDsn


class StoreSettings(Settings):
    """The object store: any S3."""

    s3_endpoint: str = Field(pattern=r"^https?://[^/]+$")
    s3_access_key: SecretStr
    s3_secret_key: SecretStr
    s3_bucket: str = Field(default="interlock", min_length=3)
    s3_region: str = "us-east-1"

    @property
    def s3(self) -> dict[str, str]:
        """Return the arguments of an ``S3Store``."""
        return {
            "endpoint": self.s3_endpoint,
            "access_key": self.s3_access_key.get_secret_value(),
            "secret_key": self.s3_secret_key.get_secret_value(),
            "bucket": self.s3_bucket,
            "region": self.s3_region,
        }

    @property
    def s3_environment(self) -> dict[str, str]:
        """Return the same as variables, for a program that gets nothing else."""
        return {f"{PREFIX}S3_{name.upper()}": value for name, value in self.s3.items()}


class RayTokenSettings(Settings):
    """The cluster's token, where it asks for one."""

    ray_token: SecretStr | None = None

    @property
    def ray_bearer(self) -> str | None:
        """Return the token as text."""
        return self.ray_token.get_secret_value() if self.ray_token else None


class TelemetrySettings(Settings):
    """Where spans go besides the standard ``OTEL_EXPORTER_OTLP_ENDPOINT``: a folder of local span files."""

    spans_dir: Path | None = None
    log_level: str = "INFO"
