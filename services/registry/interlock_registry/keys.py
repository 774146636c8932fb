"""API keys: made and shown once, stored as hashes, revoked, and listed for the other services."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from interlock_contracts.access import KeyMade, KeyRequest, KeyRing, KeyView, RingKey, hash_of
from interlock_contracts.deployment import callers_of
from interlock_messaging import Bus
from interlock_runtime.access import Access, Caller, new_key
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE, SERVICES
from interlock_runtime.problems import problem
from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from pydantic import SecretStr
from sqlalchemy import or_, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from interlock_registry import audit
from interlock_registry.store import KeyRow

OPERATOR = "admin"
"""The name of the key that the deployment brings along; no other may be called so."""


def ring_of(database: Database) -> Callable[[], Awaitable[KeyRing]]:
    """Return the question for every key that works now, asked of the database itself."""

    async def read_keys() -> KeyRing:
        alive = or_(KeyRow.expires_at.is_(None), KeyRow.expires_at > datetime.now(UTC))
        try:
            async with database.sessions() as session:
                rows = await session.scalars(select(KeyRow).where(KeyRow.revoked_at.is_(None), alive))
                return KeyRing(keys=[RingKey.model_validate(row, from_attributes=True) for row in rows])
        except (OSError, DBAPIError) as error:
            raise ConnectionError(f"Postgres: {type(error).__name__}") from error

    return read_keys


@get("/keys/ring", opt={SCOPE: "admin", SERVICES: callers_of("registry")})
async def read_ring(database: NamedDependency[Database]) -> KeyRing:
    """Return every key that works now, as hashes."""
    return await ring_of(database)()


@post("/keys", status_code=201, opt={SCOPE: "admin"})
async def make_key(
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    access: NamedDependency[Access],
    pepper: NamedDependency[SecretStr],
    data: JSONBody[KeyRequest],
) -> KeyMade:
    """Make a key and show it this one time; 409 where a key of that name works already."""
    if data.name == OPERATOR:
        raise problem(409, "The name is taken", f"{OPERATOR!r} is the key that came with the deployment")
    if data.expires_at is not None and data.expires_at <= datetime.now(UTC):
        raise problem(422, "Expires in the past", f"expires_at is {data.expires_at}; it must lie in the future")
    caller: Caller = request.user
    key = new_key()
    row = KeyRow(
        hash=hash_of(pepper.get_secret_value(), key),
        name=data.name,
        scopes=list(dict.fromkeys(data.scopes)),
        created_by=caller.name,
        expires_at=data.expires_at,
    )
    try:
        async with bus.transaction() as session:
            session.add(row)
            await session.flush()
            await session.refresh(row)
            until = data.expires_at.isoformat() if data.expires_at else None
            audit.record(session, caller.name, "key.created", f"key/{data.name}", scopes=row.scopes, expires_at=until)
    except IntegrityError as error:
        raise problem(409, "The name is taken", f"a key {data.name!r} is in use; revoke it first") from error
    await access.refresh()
    return KeyMade(**_view(row).model_dump(), key=key)


@get("/keys", opt={SCOPE: "admin"})
async def list_keys(database: NamedDependency[Database]) -> list[KeyView]:
    """Return every key there was, the newest first; none of them itself."""
    async with database.sessions() as session:
        return [_view(row) for row in await session.scalars(select(KeyRow).order_by(KeyRow.created_at.desc()))]


@delete("/keys/{name:str}", status_code=200, opt={SCOPE: "admin"})
async def revoke_key(
    name: FromPath[str], request: Request[Any, Any, Any], bus: NamedDependency[Bus], access: NamedDependency[Access]
) -> KeyView:
    """Revoke a key: here at once, in the other services within 30 seconds."""
    caller: Caller = request.user
    query = select(KeyRow).where(KeyRow.name == name, KeyRow.revoked_at.is_(None)).with_for_update()
    async with bus.transaction() as session:
        row = (await session.scalars(query)).one_or_none()
        if row is None:
            raise problem(404, "Unknown key", f"no key in use is called {name!r}")
        row.revoked_at = datetime.now(UTC)
        audit.record(session, caller.name, "key.revoked", f"key/{name}")
    await access.refresh()
    return _view(row)


def _view(row: KeyRow) -> KeyView:
    return KeyView.model_validate(row, from_attributes=True)


ROUTES = [read_ring, make_key, list_keys, revoke_key]
