"""Tokens of an issuer: which are valid, and their scopes."""

import base64
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from interlock_runtime import oidc
from interlock_runtime.access import Access, Caller
from interlock_runtime.oidc import Issuer
from interlock_runtime.settings import HttpSettings
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from litestar import Litestar, get
from pydantic import SecretStr, ValidationError

from tests.support.api_keys import PEPPER, SETTINGS
from tests.support.gateway_app import listening
from tests.support.waiting import until

AUDIENCE = "interlock"
FAR_AHEAD = 32503680000  # the year 3000
RSA, OTHER_RSA = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
EC = ec.generate_private_key(ec.SECP256R1())


class Provider:
    """An OpenID Connect issuer: its two documents, and tokens with the claims of a test."""

    def __init__(self) -> None:
        self.url = ""
        self.keys = [self._published("rsa", RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True))]
        self.keys.append(self._published("ec", ECAlgorithm.to_jwk(EC.public_key(), as_dict=True)))
        self.keys.append({"kid": "shared", "kty": "oct", "k": base64.urlsafe_b64encode(b"x" * 32).decode()})

    def _published(self, kid: str, jwk: dict[str, Any]) -> dict[str, Any]:
        return {**jwk, "kid": kid, "use": "sig"}

    def app(self) -> Litestar:
        @get("/.well-known/openid-configuration")
        async def configuration() -> dict[str, str]:
            return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}

        @get("/jwks")
        async def jwks() -> dict[str, Any]:
            return {"keys": self.keys}

        return Litestar([configuration, jwks], openapi_config=None, logging_config=None)

    def token(self, key: Any = RSA, algorithm: str = "RS256", kid: str = "rsa", **claims: Any) -> bytes:
        now = time()
        said = {"iss": self.url, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300, "scope": "read train"}
        said = {name: value for name, value in (said | claims).items() if value is not None}
        return b"Bearer " + jwt.encode(said, key, algorithm, headers={"kid": kid}).encode()


@asynccontextmanager
async def trusted(**more: Any) -> AsyncIterator[tuple[Provider, Access]]:
    """Run an issuer that is trusted; the block begins when its keys are known."""
    provider = Provider()
    async with listening(provider.app()) as url:
        provider.url = url
        access = Access(SecretStr(PEPPER), [], issuer=Issuer(url, AUDIENCE, **more))
        async with access.keeping():
            yield provider, access


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(RSA, "RS256", "rsa"), (EC, "ES256", "ec")])
async def test_a_token_of_the_issuer_lets_in(key: Any, algorithm: str, kid: str) -> None:
    """Its subject is the caller, its words the scopes; what is no scope of ours means nothing."""
    async with trusted() as (provider, access):
        token = provider.token(key, algorithm, kid, scope="openid read train")
        for _ in range(2):
            assert access.admit(token) == Caller.of("oidc/ada", ["read", "train"])


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "https://elsewhere"},
        {"exp": None},
        {"exp": 1},
        {"sub": None},
        {"nbf": FAR_AHEAD},
        {"iat": FAR_AHEAD},
    ],
    ids=str,
)
async def test_a_token_with_a_wrong_claim_is_refused(claims: dict[str, Any]) -> None:
    """Another audience, another issuer, expired, not yet valid, or without a claim that it must have."""
    async with trusted() as (provider, access):
        assert access.admit(provider.token()) is not None
        assert access.admit(provider.token(**claims)) is None


async def test_a_token_that_somebody_else_signed_is_refused() -> None:
    """Another key, a changed claim, no signature, and the public key taken for a shared secret."""
    async with trusted() as (provider, access):
        good = provider.token()
        head, body, signature = good.removeprefix(b"Bearer ").split(b".")
        claims = json.loads(base64.urlsafe_b64decode(body + b"=="))
        changed = _encoded({**claims, "scope": "admin"})
        public = RSA.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        confused = _encoded({"alg": "HS256", "kid": "rsa"}) + b"." + body
        forged = confused + b"." + _base64(hmac.digest(public, confused, "sha256"))
        unsigned = _encoded({"alg": "none", "kid": "rsa"}) + b"." + body + b"."
        shared = provider.token(b"x" * 32, "HS256", "shared")
        for token in (b".".join((head, changed, signature)), forged, unsigned):
            assert access.admit(b"Bearer " + token) is None
        for bad in (provider.token(OTHER_RSA), shared, provider.token(EC, "ES256", "rsa"), b"Bearer a.b.c"):
            assert access.admit(bad) is None
        assert access.admit(good) is not None


async def test_clocks_may_be_a_little_apart() -> None:
    """Half a minute, not more."""
    async with trusted() as (provider, access):
        assert access.admit(provider.token(exp=time() - 15)) is not None
        assert access.admit(provider.token(exp=time() - 45)) is None


async def test_groups_may_mean_scopes() -> None:
    """The issuer's own words for people are mapped; those that are not mapped mean nothing, not even `admin`."""
    async with trusted(claim="groups", meanings={"ml-leads": ["read", "promote"]}) as (provider, access):
        token = provider.token(groups=["ml-leads", "admin"])

        assert access.admit(token) == Caller.of("oidc/ada", ["read", "promote"])


_ROLES = "https://example.org/roles"


@pytest.mark.parametrize(
    ("claim", "claims"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["offline_access", "read"]}}),
        ("resource_access.my.client.roles", {"resource_access": {"my.client": {"roles": ["read"]}, "my": {}}}),
        (_ROLES, {_ROLES: ["read"]}),
        (_ROLES, {_ROLES: ["read"], "https://example": {"org/roles": ["admin"]}}),
        ("a.b", {"a.b": "read", "a": {"b": "admin"}}),
    ],
)
async def test_dots_lead_into_a_nested_claim_unless_one_has_that_name(claim: str, claims: dict[str, Any]) -> None:
    """Keycloak nests its roles; others write claims whose names are addresses."""
    async with trusted(claim=claim) as (provider, access):
        assert access.admit(provider.token(**claims)) == Caller.of("oidc/ada", ["read"])


@pytest.mark.parametrize("claims", [{}, {"realm_access": None}, {"realm_access": []}, {"realm_access": {"roles": {}}}])
async def test_a_missing_claim_has_no_effect_and_is_logged(
    claims: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has set up the issuer reads which claim was looked for."""
    caplog.set_level("INFO")
    async with trusted(claim="realm_access.roles") as (provider, access):
        assert access.admit(provider.token(**claims)) == Caller.of("oidc/ada", [])

    assert "'realm_access.roles' names no scope" in caplog.text


async def test_a_key_that_the_issuer_took_back_signs_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even tokens that were accepted before; a key published since is fetched."""
    monkeypatch.setattr(oidc, "UNKNOWN_KEY_SECONDS", 0.02)
    async with trusted() as (provider, access):
        token = provider.token()
        assert access.admit(token) is not None
        fresh = RSAAlgorithm.to_jwk(OTHER_RSA.public_key(), as_dict=True)
        provider.keys = [{**fresh, "kid": "new"}]
        await until(lambda: access.admit(provider.token(OTHER_RSA, kid="new")) is not None)

        assert access.admit(token) is None


async def test_without_its_issuer_a_service_starts_and_keys_work() -> None:
    """Its tokens are refused until it answers."""
    access = Access(SecretStr(PEPPER), [], issuer=Issuer("http://127.0.0.1:1", AUDIENCE))
    async with access.keeping():
        assert access.admit(Provider().token()) is None


def test_settings_of_an_issuer_that_let_the_wrong_people_in_are_refused() -> None:
    """Without an audience, tokens made for other applications would open this one; a mistyped scope opens nothing."""
    with pytest.raises(ValidationError, match="oidc_audience"):
        HttpSettings(**SETTINGS, oidc_issuer="https://issuer")
    with pytest.raises(ValidationError, match="oidc_scopes must be"):
        HttpSettings(**SETTINGS, oidc_issuer="https://issuer", oidc_audience="a", oidc_scopes="leads=promte")


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _encoded(data: dict[str, Any]) -> bytes:
    return _base64(json.dumps(data).encode())
