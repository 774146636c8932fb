"""Scopes, API keys and the audit log: bodies of the REST API and of the services among themselves."""

import hmac
from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import AwareDatetime, Field

from interlock_contracts.http import Body, Request

Scope = Literal["predict", "read", "ingest", "train", "promote", "admin"]

SCOPES: tuple[Scope, ...] = get_args(Scope)

KeyName = r"^[a-z0-9][a-z0-9._-]{0,62}$"
"""No name has a slash: ``service/<name>`` and ``oidc/<subject>`` are no names of keys."""


KEY_PREFIX = "ilk_"
"""What every key that we make begins with, so that searches for leaked secrets know one."""


def hash_of(pepper: str, key: str) -> str:
    """Return what is kept of a key: HMAC-SHA256 under the pepper, in hex."""
    return hmac.digest(pepper.encode(), key.encode(), "sha256").hex()


class KeyRequest(Request):
    """A key to be made: for whom, for what, and until when."""

    name: str = Field(pattern=KeyName)
    scopes: list[Scope] = Field(min_length=1)
    expires_at: AwareDatetime | None = None


class KeyView(Body):
    """A key as far as it can be shown: all but itself."""

    name: str
    scopes: list[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class KeyMade(KeyView):
    """A new key, this one time in full."""

    key: str


class RingKey(Body):
    """A key as services keep it: ``hash`` is HMAC-SHA256 of it under the pepper, in hex."""

    hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    name: str
    scopes: list[Scope]
    expires_at: datetime | None = None


class KeyRing(Body):
    """Every key that is neither revoked nor over."""

    keys: list[RingKey]


class AuditEntry(Body):
    """One thing that was done: by whom, to what, when; ``trace_id`` leads to how."""

    id: int
    at: datetime
    by: str
    action: str
    subject: str
    details: dict[str, Any]
    trace_id: str | None = None
