"""Secrets of a stack of containers: one file each, which only the containers' user reads; and ``.env``.

What services hold is made once and never overwritten, so it may be replaced by a value of one's own. What servers are
told of it follows from it, and is written anew when it differs: after an upgrade with a new service, for instance.
"""

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from interlock_contracts.access import KEY_PREFIX
from interlock_contracts.catalog import OBSERVER
from interlock_contracts.deployment import NAMES, POSTGRES, PUBLIC_KEY, RABBITMQ, SECRETS, services_using
from interlock_contracts.permissions import VHOST, user_of

from interlock_deployment import credentials
from interlock_deployment.credentials import BROKER_ADMIN, OPERATOR, PREFIXES, STORE_ADMIN
from interlock_deployment.errors import DeploymentError

UID = 10_001
"""The user of every container, ours or not."""

DATABASE = DATABASE_ADMIN = "interlock"

_SHARED = {
    "INTERLOCK_KEY_PEPPER",
    "INTERLOCK_KEY_HASHES",
    "INTERLOCK_RAY_TOKEN",
    "INTERLOCK_SIGNING_KEY",
    PUBLIC_KEY,
    "INTERLOCK_WEBHOOK_SECRET",
}
IN_FILES = SECRETS | _SHARED
"""Settings that come as files: secrets, and what is made with them."""

_SECURITY = """\
# Without these, the internal ports of SeaweedFS would serve every object to anyone, past S3's permissions.
[jwt.signing]
key = "{}"
[jwt.signing.read]
key = "{}"
[jwt.filer_signing]
key = "{}"
[jwt.filer_signing.read]
key = "{}"
"""


def secret_name(service: str, setting: str) -> str:
    """Return the file, and the secret in the compose file, that holds a setting of a service."""
    name = setting.removeprefix("INTERLOCK_").lower()
    return name if setting in _SHARED else f"{service}_{name}"


class _Folder:
    """A folder of secrets; ``made`` names the files that are new or written anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.made: list[str] = []

    def has(self, name: str) -> bool:
        return (self._path / name).exists()

    def once(self, name: str, make: Callable[[], str]) -> str:
        """Return a secret; make it where there is none."""
        if self.has(name):
            return (self._path / name).read_text().strip()
        self.write(name, text := make())
        return text

    def write(self, name: str, text: str) -> None:
        """Write what follows from other secrets, unless it is what stands there."""
        file = self._path / name
        if self.has(name) and file.read_text() == text:
            return
        with tempfile.NamedTemporaryFile("w", dir=self._path, prefix=f".{name}-", delete=False) as new:
            new.write(text)
            os.fchmod(new.fileno(), 0o400)
            if os.geteuid() == 0:
                os.fchown(new.fileno(), UID, UID)
        Path(new.name).replace(file)
        self.made.append(name)


def prepare(folder: Path, where: Path) -> list[str]:
    """Make what a start of ``compose.yaml`` in ``folder`` needs: secrets in ``where``, and ``.env``; return new names.

    Raises:
        DeploymentError: the folder has no compose file, or its secrets belong to another user.
    """
    if not (folder / "compose.yaml").exists():
        raise DeploymentError(
            f"there is no compose.yaml in {folder}", hint="run this in a checkout, or name its folder: --folder PATH"
        )
    made = make_secrets(where)
    if not (folder / ".env").exists():
        shutil.copyfile(folder / ".env.example", folder / ".env")
        made.append(".env")
    return made


def make_secrets(where: Path) -> list[str]:
    """Make what is not there yet, and write anew what follows from others; return the names of changed files.

    Raises:
        DeploymentError: the files belong to another user, or half of a pair is missing.
    """
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        where.chmod(0o700)
        if os.geteuid() == 0:
            os.chown(where, UID, UID)
        files = _Folder(where)
        for make in (_keys, _broker, _database, _store):
            make(files)
    except PermissionError as error:
        raise DeploymentError(f"{error.filename} belongs to another user", hint="run this with sudo") from None
    return files.made


def is_theirs(where: Path) -> bool:
    """Return whether a folder of secrets belongs to the user of the containers."""
    return where.stat().st_uid == UID


def _random() -> str:
    return secrets.token_hex(24)


def _api_key() -> str:
    return KEY_PREFIX + _random()


def _keys(files: _Folder) -> None:
    """Make the keys of people and services, and those that sign promotions, webhooks and Ray's requests."""
    keys = {name: files.once(f"{name}_service_key", _api_key) for name in NAMES}
    for name, key in keys.items():
        if name != OBSERVER:  # it receives the spans
            files.write(f"{name}_otlp_headers", f"authorization=Bearer%20{key}")
    pepper, admin = files.once("key_pepper", _random), files.once("admin_api_key", _api_key)
    files.write("key_hashes", credentials.key_hashes(pepper, admin, keys))
    if files.has("signing_key") != files.has("signing_public_key"):
        raise DeploymentError("of signing_key and signing_public_key only one is there, and they are a pair")
    private, public = credentials.signing_pair(secrets.token_bytes(32))
    files.once("signing_key", lambda: private)
    files.once("signing_public_key", lambda: public)
    files.once("webhook_secret", _random)
    files.once("ray_token", lambda: secrets.token_hex(32))


def _broker(files: _Folder) -> None:
    """Make each service's user of the broker, the people's, and the administrator's; and the broker's definitions."""

    def url(user: str) -> Callable[[], str]:
        return lambda: f"amqp://{user}:{_random()}@rabbitmq:5672/{VHOST}"

    users = {f"{name}_amqp_url": user_of(name) for name in (*services_using(RABBITMQ), OPERATOR)}
    users["rabbitmq_admin_url"] = BROKER_ADMIN
    passwords = {user: _password(files.once(name, url(user))) for name, user in users.items()}
    files.write("rabbitmq_definitions.json", json.dumps(credentials.broker_definitions(passwords)))


def _database(files: _Folder) -> None:
    """Make each service's role in the database, and the administrator's."""

    def url(user: str) -> Callable[[], str]:
        return lambda: f"postgresql://{user}:{_random()}@postgres:5432/{DATABASE}"

    admin = files.once("postgres_admin_url", url(DATABASE_ADMIN))
    files.write("postgres_password", _password(admin))
    passwords = {
        name: _password(files.once(f"{name}_postgres_url", url(user_of(name)))) for name in services_using(POSTGRES)
    }
    files.write("postgres_roles.json", json.dumps(passwords))


def _store(files: _Folder) -> None:
    """Make each service's identity in the object store, the people's and the administrator's, and the role of jobs."""
    names = {name: name for name in PREFIXES} | {STORE_ADMIN: "store_admin"}
    keys = {
        name: (
            files.once(f"{prefix}_s3_access_key", lambda: secrets.token_hex(10)),
            files.once(f"{prefix}_s3_secret_key", _random),
        )
        for name, prefix in names.items()
    }
    files.write("s3_identities.json", json.dumps(credentials.store_identities(keys)))
    files.write("s3_roles.json", json.dumps(credentials.store_roles(files.once("s3_session_key", _random))))
    files.once("s3_security.toml", lambda: _SECURITY.format(*(_random() for _ in range(4))))


def _password(url: str) -> str:
    return unquote(urlsplit(url).password or "")
