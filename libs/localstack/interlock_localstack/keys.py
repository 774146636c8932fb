"""API keys of a local stack: the admin's, and one for each service to call the others with."""

from interlock_contracts.access import KEY_PREFIX
from interlock_contracts.deployment import NAMES
from interlock_deployment.credentials import key_hashes

from interlock_localstack.state_dir import StateDir


def admin_key(state_dir: StateDir) -> str:
    """Return the API key with all scopes, which commands use by default."""
    return KEY_PREFIX + state_dir.secret("api_key")


def access_settings(state_dir: StateDir, service: str) -> dict[str, str]:
    """Return the access settings of one service: its own key, and the hashes of all services' keys."""
    pepper = state_dir.secret("key_pepper")
    services = {name: _service_key(state_dir, name) for name in NAMES}
    return {
        "INTERLOCK_KEY_PEPPER": pepper,
        "INTERLOCK_KEY_HASHES": key_hashes(pepper, admin_key(state_dir), services),
        "INTERLOCK_SERVICE_KEY": services[service],
    }


def _service_key(state_dir: StateDir, service: str) -> str:
    return KEY_PREFIX + state_dir.secret(f"service_key_{service}")
