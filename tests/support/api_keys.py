"""The keys that tests come in with, and a service's settings that let them in."""

from collections.abc import Sequence
from typing import Any

from interlock_contracts.access import RingKey, Scope, hash_of
from interlock_contracts.deployment import callers_of
from interlock_runtime.access import Access
from pydantic import SecretStr

KEY = "a-key-of-enough-length"
"""The key of whoever runs the deployment."""

PEPPER = "a-pepper-of-enough-length"
SERVICE_KEYS = {name: f"the-own-key-of-{name}" for name in callers_of("registry")}

SETTINGS: dict[str, Any] = {
    "key_pepper": PEPPER,
    "key_hashes": ",".join(
        [
            f"admin={hash_of(PEPPER, KEY)}",
            *(f"service/{name}={hash_of(PEPPER, key)}" for name, key in SERVICE_KEYS.items()),
        ]
    ),
    "service_key": SERVICE_KEYS["gateway"],
}
"""Settings that every service takes, as a test gives them by name."""

ENVIRONMENT = {f"INTERLOCK_{name.upper()}": value for name, value in SETTINGS.items()}


def as_administrator(settings: dict[str, str]) -> dict[str, str]:
    """Return a stack's settings with the administrator's rights on broker, database and store.

    A user's keys of the store may neither write a model nor read one.
    """
    mark = "INTERLOCK_ADMIN_"
    return settings | {
        name.replace(mark, "INTERLOCK_"): each for name, each in settings.items() if name.startswith(mark)
    }


def ring_key(key: str, name: str, *scopes: Scope) -> RingKey:
    """Return a key as services keep it."""
    return RingKey(hash=hash_of(PEPPER, key), name=name, scopes=list(scopes))


def letting_in(key: str = KEY, scopes: Sequence[Scope] = ("admin",)) -> Access:
    """Return what lets one key in, and nobody else."""
    return Access(SecretStr(PEPPER), [ring_key(key, "admin", *scopes)])
