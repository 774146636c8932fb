"""Setting groups, read from ``INTERLOCK_*`` variables; a service composes only what it needs."""

import os
import sys
from pathlib import Path
from typing import Any, Literal, Self, get_args

from interlock_contracts.access import RingKey, Scope
from pydantic import Field, PostgresDsn, SecretStr, TypeAdapter, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "INTERLOCK_"

_SCOPES: TypeAdapter[list[Scope]] = TypeAdapter(list[Scope])


def environment_without_settings() -> dict[str, str]:
    """Return this process's environment for a child that needs none of our settings, credentials among them."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}


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

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a mistyped secret would stand in the log
    )

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
    """Where this process listens, and which keys it accepts.

    ``key_hashes`` are the keys that come with the deployment, ``name=hash`` with commas between: ``admin``, and each
    service's own as ``service/<name>``. ``oidc_scopes`` maps the words in a token's claim to scopes, as
    ``word=scope scope`` with commas between; without it, the words are the scopes themselves.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    request_room: int = Field(default=1000, ge=1)
    key_pepper: SecretStr = Field(min_length=16)
    key_hashes: str = Field(default="", pattern=r"^([a-z0-9_/-]+=[0-9a-f]{64}(,|$))*$")
    oidc_issuer: str | None = Field(default=None, pattern=r"^https?://")
    oidc_audience: str | None = Field(default=None, min_length=1)
    oidc_jwks_url: str | None = Field(default=None, pattern=r"^https?://")
    oidc_claim: str = "scope"
    oidc_scopes: str | None = None

    @property
    def known_keys(self) -> list[RingKey]:
        """Return the keys of the deployment; those of services open only what names them."""
        pairs = [pair.partition("=") for pair in self.key_hashes.split(",") if pair]
        return [
            RingKey(hash=value, name=name, scopes=[] if name.startswith("service/") else ["admin"])
            for name, _, value in pairs
        ]

    @property
    def oidc_meanings(self) -> dict[str, list[Scope]] | None:
        """Return the scopes that each word of a token's claim means; None where the words are the scopes."""
        if self.oidc_scopes is None:
            return None
        pairs = [pair.partition("=") for pair in self.oidc_scopes.split(",") if pair]
        return {word.strip(): _SCOPES.validate_python(scopes.split()) for word, _, scopes in pairs}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.oidc_issuer is not None and self.oidc_audience is None:
            raise ValueError("oidc_audience must be set with oidc_issuer, or tokens for others would be let in")
        try:
            _ = self.oidc_meanings
        except ValidationError:
            raise ValueError(f"oidc_scopes must be word=scope scope, ..., of {', '.join(get_args(Scope))}") from None
        return self


class PeerSettings(HttpSettings):
    """Where the registry is, which owns keys, and what this service shows of itself to it and to others."""

    registry_url: str = Field(pattern=r"^https?://[^/]+/?$")
    service_key: SecretStr = Field(min_length=16)


class BusSettings(Settings):
    """The broker."""

    amqp_url: SecretStr


class DatabaseSettings(Settings):
    """The database; every service keeps to the schema of its own name."""

    postgres_url: PostgresDsn = Field(repr=False)


class StoreSettings(Settings):
    """The object store: any S3."""

    s3_endpoint: str = Field(pattern=r"^https?://[^/]+$")
    s3_access_key: SecretStr
    s3_secret_key: SecretStr
    s3_bucket: str = Field(default="interlock", min_length=3)
    s3_region: str = "us-east-1"

    @property
    def s3(self) -> dict[str, str]:
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


class RaySettings(StoreSettings):
    """The cluster's token, where it asks for one, and whose rights in the object store its jobs get a part of.

    ``trainer_python`` is the interpreter on the cluster that has ``interlock_trainer`` and ``interlock_scoring``.
    Without ``s3_job_role`` no credentials are issued: then the cluster's own environment has keys to the store.
    """

    ray_token: SecretStr | None = None
    trainer_python: str = sys.executable
    s3_job_role: str | None = Field(default=None, min_length=1)
    s3_sts_endpoint: str | None = Field(default=None, pattern=r"^https?://[^/]+$")

    @property
    def ray_bearer(self) -> str | None:
        """Return the token as text."""
        return self.ray_token.get_secret_value() if self.ray_token else None


class TelemetrySettings(Settings):
    """Where spans go besides the standard ``OTEL_EXPORTER_OTLP_ENDPOINT``, a folder of local span files; and logs."""

    spans_dir: Path | None = None
    log_level: str = "INFO"
    log_format: Literal["auto", "json", "text"] = "auto"
