"""Authentication and authorization: API keys by their hash, tokens of an OIDC issuer, and the scopes of both.

Every entry point of a service uses :class:`Access`, which looks into memory only. Its keys come from the service's own
settings (those of the deployment) and from the registry (all others), refreshed again and again.
"""

import asyncio
import hmac
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import monotonic, time

from interlock_contracts.access import KEY_PREFIX, SCOPES, KeyRing, RingKey, Scope, hash_of
from pydantic import SecretStr, ValidationError

from interlock_runtime.oidc import Issuer
from interlock_runtime.process import run_periodically
from interlock_runtime.settings import HttpSettings

__all__ = ["Access", "Caller", "Scope", "hash_of", "new_key"]

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 10.0
"""A key that is revoked stops working everywhere within these, and the time of one question to the registry."""

FIRST_SECONDS = 3.0
"""How long a service that starts waits for its first ring; without it, it starts with what it knows."""

REFRESH_INTERVAL_SECONDS = 0.5
"""Shortest time between two refreshes for the sake of unknown keys; a request with one waits so long."""

_BEARER = b"Bearer "
_LONGEST = 8192
_REMEMBERED = 4096

Source = Callable[[], Awaitable[KeyRing]]
"""Fetches every key there is; raises ConnectionError while the registry does not answer."""


def new_key() -> str:
    """Return a new key of 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks; a service in its own name is called ``service/<name>`` and has no scopes."""

    name: str
    scopes: frozenset[Scope]

    @classmethod
    def of(cls, name: str, scopes: Iterable[Scope]) -> "Caller":
        """Return the caller; ``admin`` implies every scope."""
        given = frozenset(scopes)
        return cls(name, frozenset(SCOPES) if "admin" in given else given)

    @property
    def service(self) -> str | None:
        return self.name.removeprefix("service/") if self.name.startswith("service/") else None


_Entry = tuple[Caller, float | None]
"""The caller of a key, and when it expires, in seconds since 1970."""


class Access:
    """The keys and tokens that one process accepts.

    ``known`` come with the deployment; ``source`` has all others, which are remembered in ``remember`` if given.
    """

    def __init__(
        self,
        pepper: SecretStr,
        known: Iterable[RingKey],
        *,
        source: Source | None = None,
        remember: Path | None = None,
        issuer: Issuer | None = None,
    ) -> None:
        self._pepper = pepper.get_secret_value().encode()
        self._known = _entries(known)
        self._keys = self._known
        self._let_in: dict[bytes, _Entry] = {}
        self._source = source
        self._remember = remember
        self._issuer = issuer
        self._refreshed_at = -inf
        self._answered = False
        self._refreshing, self._asking = asyncio.Lock(), asyncio.Lock()

    @classmethod
    def of(cls, settings: HttpSettings, *, source: Source | None = None, remember: Path | None = None) -> "Access":
        """Return the access by a service's settings."""
        issuer = Issuer.of(settings) if settings.oidc_issuer else None
        return cls(settings.key_pepper, settings.known_keys, source=source, remember=remember, issuer=issuer)

    def admit(self, authorization: bytes) -> Caller | None:
        """Authenticate a value of the header ``Authorization``: return its caller, None where it is not valid.

        A key is looked up by its MAC, so the time of that reveals nothing about any key. One accepted since the last
        refresh is known by itself, by a hash that every process keys anew: a MAC costs as much as an answer.
        """
        found = self._let_in.get(authorization)
        if found is None:
            if not authorization.startswith(_BEARER) or len(authorization) > _LONGEST:
                return None
            token = authorization[len(_BEARER) :]
            digest = hmac.digest(self._pepper, token, "sha256")
            found = self._keys.get(digest)
            if found is None:
                return self._of_token(digest, token)
            if len(self._let_in) < _REMEMBERED:
                self._let_in[authorization] = found
        caller, until = found
        return caller if until is None or time() < until else None

    async def admit_or_refresh(self, authorization: bytes) -> Caller | None:
        """Return the same, after a refresh where the key is not known: it may have been made this moment.

        All who wait share one refresh. While the registry does not answer, no request waits for it.
        """
        came, caller = monotonic(), self.admit(authorization)
        if caller is not None or not authorization.startswith(_BEARER + KEY_PREFIX.encode()):
            return caller
        async with self._refreshing:
            if self._answered and self._refreshed_at < came:
                await asyncio.sleep(self._refreshed_at + REFRESH_INTERVAL_SECONDS - monotonic())
                with suppress(ConnectionError, TimeoutError):
                    await self.refresh()
        return self.admit(authorization)

    def _of_token(self, digest: bytes, token: bytes) -> Caller | None:
        claimed = self._issuer.admit(digest, token) if self._issuer is not None else None
        return Caller.of(*claimed) if claimed is not None else None

    async def refresh(self) -> None:
        """Replace the known keys by those of the source.

        Raises:
            ConnectionError: it does not answer; what was known stays.
        """
        if self._source is None:
            return
        async with self._asking:  # one after the other, or an older answer could come after a newer one, and stay
            await self._learn(self._source)

    async def _learn(self, source: Source) -> None:
        self._refreshed_at, self._answered = monotonic(), False
        ring = await source()
        self._answered = True
        self._keys, self._let_in = _entries(ring.keys) | self._known, {}
        if self._remember is not None:
            await asyncio.to_thread(_write, self._remember, ring.model_dump_json())

    @asynccontextmanager
    async def keeping(self) -> AsyncIterator[None]:
        """Learn keys again and again while the block lasts; it begins with the newest that can be had soon."""
        if self._remember is not None:
            self._keys, self._let_in = _entries(_read(self._remember)) | self._known, {}
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(FIRST_SECONDS):
                await self.refresh()
        async with run_periodically(self.refresh, seconds=REFRESH_SECONDS):
            if self._issuer is None:
                yield
                return
            async with self._issuer.keeping():
                yield


def _entries(keys: Iterable[RingKey]) -> dict[bytes, _Entry]:
    return {
        bytes.fromhex(key.hash): (
            Caller.of(key.name, key.scopes),
            key.expires_at.timestamp() if key.expires_at else None,
        )
        for key in keys
    }


def _read(path: Path) -> list[RingKey]:
    try:
        return KeyRing.model_validate_json(path.read_bytes()).keys
    except (OSError, ValidationError) as error:
        logger.info("no keys are remembered: %s", type(error).__name__)
        return []


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)
