"""Everybody's keys, as the registry tells them to the other services."""

import httpx
from interlock_contracts.access import KeyRing
from pydantic import SecretStr, ValidationError

from interlock_runtime.access import Source

ASK_SECONDS = 5.0


def registry_key_source(registry_url: str, service_key: SecretStr) -> Source:
    """Return the question to the registry, asked in this service's own name."""
    url = f"{registry_url.rstrip('/')}/keys/ring"
    tls = httpx.create_ssl_context(trust_env=False)  # once: it reads every root certificate there is
    headers = {"Authorization": f"Bearer {service_key.get_secret_value()}"}

    async def ask() -> KeyRing:
        try:
            async with httpx.AsyncClient(timeout=ASK_SECONDS, trust_env=False, verify=tls) as client:
                answer = await client.get(url, headers=headers)
        except httpx.TransportError as error:
            raise ConnectionError(f"registry: {error!r}") from error
        if not answer.is_success:
            raise ConnectionError(f"the registry answers {answer.status_code} to the question for keys")
        try:
            return KeyRing.model_validate_json(answer.content)
        except ValidationError as error:
            raise ConnectionError(f"the registry's keys are not understood: {error}") from error

    return ask
