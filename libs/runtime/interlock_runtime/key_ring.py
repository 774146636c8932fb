"""Everybody's keys, as the registry gives them to the other services."""

import httpx
from interlock_contracts.access import KeyRing
from pydantic import SecretStr

from interlock_runtime.access import Source
from interlock_runtime.clients import RegistryClient


def registry_key_source(registry_url: str, service_key: SecretStr) -> Source:
    """Return the request to the registry, in this service's own name; ConnectionError where it gives no answer."""
    tls = httpx.create_ssl_context(trust_env=False)  # once: it reads every root certificate there is

    async def key_ring() -> KeyRing:
        async with httpx.AsyncClient(trust_env=False, verify=tls) as client:
            return await RegistryClient("registry", registry_url, service_key, client).key_ring()

    return key_ring
