"""The keys of a local stack: the admin's, and one for each service to ask the others with."""

from collections.abc import Iterable

from interlock_contracts.access import KEY_PREFIX, hash_of

from interlock_cli.stack.home import Home


def admin_key(home: Home) -> str:
    """Return the key that may do everything, which commands use without asking."""
    return KEY_PREFIX + home.secret("api_key")


def door_keys(home: Home, service: str, services: Iterable[str]) -> dict[str, str]:
    """Return what one of the ``services`` needs to know of keys: its own, and the hashes of all."""
    pepper = home.secret("key_pepper")
    known = {"admin": admin_key(home)} | {f"service/{name}": _own(home, name) for name in services}
    return {
        "INTERLOCK_KEY_PEPPER": pepper,
        "INTERLOCK_KEY_HASHES": ",".join(f"{name}={hash_of(pepper, key)}" for name, key in known.items()),
        "INTERLOCK_SERVICE_KEY": _own(home, service),
    }


def _own(home: Home, service: str) -> str:
    return KEY_PREFIX + home.secret(f"service_key_{service}")
