"""Addresses of the gateway and the console for the command line's client."""

from typing import Literal

from interlock_client import Client
from interlock_client.settings import environment as own_environment

from interlock_cli.local_stack import installed_stack_settings
from interlock_cli.terminal import NOT_RUNNING, CommandError


def environment() -> dict[str, str]:
    """Return the ``INTERLOCK_*`` variables: the process's own first, then those of the checkout's local stack."""
    own = own_environment()
    return own if "INTERLOCK_GATEWAY_URL" in own else installed_stack_settings() | own


def connect(service: Literal["gateway", "console"] = "gateway", *, retries: int = 2) -> Client:
    """Return a client of the gateway or of the console, as the environment or the local stack configures it.

    Raises:
        CommandError: neither does.
    """
    found = environment()
    url = found.get(f"INTERLOCK_{service.upper()}_URL")
    if url is None:
        raise CommandError(f"no {service} is configured", hint=NOT_RUNNING)
    console_url = found.get("INTERLOCK_CONSOLE_URL")
    return Client(url, found.get("INTERLOCK_API_KEY", ""), console_url=console_url, retries=retries)
