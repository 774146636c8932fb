"""Tokens of an OpenID Connect issuer, verified by its published keys that are kept in memory."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from time import time
from typing import Any

import httpx
import jwt
from interlock_contracts.access import SCOPES, Scope

from interlock_runtime.settings import HttpSettings

logger = logging.getLogger(__name__)

ALGORITHMS = ["RS256", "ES256"]
"""Asymmetric ones only: with ``none`` or HS256 anybody who knows the public key could sign."""

REFRESH_SECONDS = 300.0
UNKNOWN_KEY_SECONDS = 10.0
"""How often at most the issuer is asked because of a key that it has not published yet."""

LEEWAY_SECONDS = 30.0
"""How far the issuer's clock and ours may be apart."""

FETCH_SECONDS = 5.0
REMEMBERED = 4096
"""Verified tokens that are kept, so that only the first request with one costs a signature."""

_REQUIRED = ["exp", "iat", "iss", "aud", "sub"]

Claimed = tuple[str, list[Scope]]
"""A caller's name and scopes."""


class Issuer:
    """One issuer: where it is, for whom its tokens must be, and what their claims mean here."""

    def __init__(
        self,
        url: str,
        audience: str,
        *,
        jwks_url: str | None = None,
        claim: str = "scope",
        meanings: Mapping[str, Sequence[Scope]] | None = None,
    ) -> None:
        self._url = url
        self._audience = audience
        self._jwks_url = jwks_url
        self._claim = claim
        self._meanings = meanings
        self._keys: dict[str, jwt.PyJWK] = {}
        self._verified: dict[bytes, tuple[Claimed, float]] = {}
        self._wake = asyncio.Event()
        self._tls = httpx.create_ssl_context(trust_env=False)

    @classmethod
    def of(cls, settings: HttpSettings) -> "Issuer":
        assert settings.oidc_issuer is not None, "asked for only where there is one"
        assert settings.oidc_audience is not None, "the settings see to it"
        return cls(
            settings.oidc_issuer,
            settings.oidc_audience,
            jwks_url=settings.oidc_jwks_url,
            claim=settings.oidc_claim,
            meanings=settings.oidc_meanings,
        )

    def admit(self, digest: bytes, token: bytes) -> Claimed | None:
        """Return whose token it is and what for; ``digest`` stands for the token in memory. None for a bad one."""
        found = self._verified.get(digest)
        if found is None:
            found = self._verify(token)
            if found is None:
                return None
            if len(self._verified) >= REMEMBERED:
                self._verified.clear()
            self._verified[digest] = found
        claimed, until = found
        return claimed if time() < until else None

    def _verify(self, token: bytes) -> tuple[Claimed, float] | None:
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get(header.get("kid", ""))
            if key is None:
                self._wake.set()
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._url,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            logger.debug("a token is refused: %s", type(error).__name__)
            return None
        scopes = self._scopes(claims)
        if not scopes:
            logger.info("the token of oidc/%s is good, but its claim %r names no scope", claims["sub"], self._claim)
        return (f"oidc/{claims['sub']}", scopes), float(claims["exp"]) + LEEWAY_SECONDS

    def _scopes(self, claims: Mapping[str, Any]) -> list[Scope]:
        """Return what the claim means: by the table of the settings, or by its own words where there is none."""
        value = _claim(claims, self._claim)
        words: Iterable[Any] = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
        if self._meanings is None:
            return [scope for scope in SCOPES if scope in words]
        return [scope for word in words for scope in self._meanings.get(str(word), ())]

    async def refresh(self) -> None:
        """Learn the issuer's keys.

        Raises:
            ConnectionError: it does not answer with any; those that were known stay.
        """
        try:
            async with httpx.AsyncClient(timeout=FETCH_SECONDS, trust_env=False, verify=self._tls) as client:
                where = self._jwks_url or await self._discovered(client)
                published = jwt.PyJWKSet.from_dict(await _fetch_json(client, where))
        except (httpx.HTTPError, ValueError, KeyError, jwt.PyJWTError) as error:
            raise ConnectionError(f"the issuer {self._url} has no keys for us: {error!r}") from error
        keys = {key.key_id: key for key in published.keys if key.key_id and key.algorithm_name in ALGORITHMS}
        if keys.keys() != self._keys.keys():
            self._verified.clear()  # a key that is gone signs nothing more
        self._keys = keys

    async def _discovered(self, client: httpx.AsyncClient) -> str:
        document = await _fetch_json(client, self._url.rstrip("/") + "/.well-known/openid-configuration")
        if document["issuer"] != self._url:
            raise ValueError(f"it calls itself {document['issuer']!r}")
        return str(document["jwks_uri"])

    @asynccontextmanager
    async def keeping(self) -> AsyncIterator[None]:
        """Know the issuer's keys while the block lasts."""
        await self._try()
        task = asyncio.create_task(self._refresh_forever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _refresh_forever(self) -> None:
        while True:
            await asyncio.sleep(UNKNOWN_KEY_SECONDS)
            if self._keys:
                with suppress(TimeoutError):
                    async with asyncio.timeout(REFRESH_SECONDS):
                        await self._wake.wait()
            await self._try()

    async def _try(self) -> None:
        self._wake.clear()
        try:
            await self.refresh()
        except (ConnectionError, TimeoutError) as error:
            logger.warning("%s", error)


def _claim(claims: Any, name: str) -> Any:
    """Return the claim of this name; where there is none, dots lead into nested ones, as to Keycloak's roles."""
    if not isinstance(claims, Mapping):
        return None
    if name in claims:
        return claims[name]
    parts = name.split(".")
    # The longest name first: clients, whose names stand between, may have dots in theirs.
    for length in range(len(parts) - 1, 0, -1):
        found = _claim(claims.get(".".join(parts[:length])), ".".join(parts[length:]))
        if found is not None:
            return found
    return None


async def _fetch_json(client: httpx.AsyncClient, url: str) -> Any:
    answer = await client.get(url)
    answer.raise_for_status()
    return answer.json()
