"""Settings of the client: the gateway's address and the key, by argument, else from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interlock_client.errors import NotConfiguredError


@dataclass(frozen=True)
class Settings:
    """Addresses without a slash at their end; ``retries`` counts what follows the first attempt."""

    url: str
    key: str
    console_url: str | None = None
    retries: int = 2


def environment() -> dict[str, str]:
    """Return the ``INTERLOCK_*`` variables that are not empty; of ``NAME_FILE`` the file's content as ``NAME``."""
    own = {name: value for name, value in os.environ.items() if name.startswith("INTERLOCK_") and value}
    for name in [name for name in own if name.endswith("_FILE")]:
        own.setdefault(name.removesuffix("_FILE"), Path(own[name]).read_text().strip())
    return own


def find_settings(
    url: str | None = None,
    key: str | None = None,
    *,
    console_url: str | None = None,
    retries: int = 2,
    environment: Mapping[str, str],
) -> Settings:
    """Return the arguments, completed from ``INTERLOCK_GATEWAY_URL``, ``_API_KEY`` and ``_CONSOLE_URL``.

    Raises:
        NotConfiguredError: neither has the gateway's address.
    """
    url = url or environment.get("INTERLOCK_GATEWAY_URL")
    if url is None:
        raise NotConfiguredError("no gateway is configured: give `url`, or set INTERLOCK_GATEWAY_URL")
    console_url = console_url or environment.get("INTERLOCK_CONSOLE_URL")
    return Settings(
        url=url.rstrip("/"),
        key=key or environment.get("INTERLOCK_API_KEY", ""),
        console_url=console_url.rstrip("/") if console_url else None,
        retries=retries,
    )
