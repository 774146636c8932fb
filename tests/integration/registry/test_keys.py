"""Keys from their making to their end, and the audit log: the registry as it runs, on a real database."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
from interlock_artifacts import ArtifactStore, MemoryStore
from interlock_contracts.access import AuditEntry
from interlock_contracts.models import RollbackRequested
from interlock_contracts.training import TrainingCancelled, TrainingQueued
from interlock_messaging import Bus
from interlock_registry import audit, handlers
from interlock_registry.app import create_app
from interlock_registry.settings import RegistrySettings
from interlock_runtime import access
from interlock_runtime.access import Access, Caller
from interlock_runtime.database import Database
from interlock_runtime.key_ring import registry_key_source
from litestar import Litestar
from pydantic import SecretStr
from sqlalchemy import text

from tests.integration.registry.test_promotion import Registry
from tests.support import signing
from tests.support.api_keys import KEY, PEPPER, SERVICE_KEYS, SETTINGS
from tests.support.dependencies import dependency
from tests.support.gateway_app import client, listening
from tests.support.waiting import until

pytestmark = pytest.mark.integration

SPEC = {"task": "regression", "target": "y", "data": {"columns": {"x": {"type": "number"}, "y": {"type": "number"}}}}


class Office(NamedTuple):
    """A registry with its address, and its admin at it."""

    app: Litestar
    url: str
    admin: httpx.AsyncClient

    async def make(self, *scopes: str, **more: Any) -> tuple[str, httpx.AsyncClient]:
        """Make a key; return its name, and a client that uses it."""
        name = f"k-{uuid4().hex[:8]}"
        answer = await self.admin.post("/keys", json={"name": name, "scopes": scopes, **more})
        assert answer.status_code == 201, answer.text
        return name, client(self.url, key=answer.json()["key"])

    async def entries(self, **filters: Any) -> list[AuditEntry]:
        answer = await self.admin.get("/audit", params=filters)
        assert answer.status_code == 200, answer.text
        return [AuditEntry.model_validate(each) for each in answer.json()]


@asynccontextmanager
async def opened(
    servers: dict[str, str], *, artifacts: ArtifactStore | None = None, **settings: Any
) -> AsyncIterator[Office]:
    """Run a registry."""
    given: dict[str, Any] = {
        name: servers[f"INTERLOCK_{name.upper()}"]
        for name in ("amqp_url", "postgres_url", "s3_endpoint", "s3_access_key", "s3_secret_key")
    }
    app = create_app(
        RegistrySettings(**(given | SETTINGS | signing.SETTINGS | settings)), artifacts=artifacts or MemoryStore()
    )
    async with listening(app) as url, client(url) as admin:
        yield Office(app, url, admin)


@pytest.fixture(scope="module")
async def office(servers: dict[str, str]) -> AsyncIterator[Office]:
    async with opened(servers) as made:
        yield made


async def test_a_key_works_at_once_and_does_what_its_scopes_say(office: Office) -> None:
    """Nobody waits for a refresh; a 403 names what is missing, and the key is shown no second time."""
    name, reader = await office.make("read")
    async with reader:
        assert (await reader.get("/models")).status_code == 200
        refused = await reader.put("/pipelines/p", json={})
    listed = await office.admin.get("/keys")

    assert refused.status_code == 403
    assert refused.json()["detail"] == f"this needs the scope 'promote'; {name!r} has read"
    assert [each["scopes"] for each in listed.json() if each["name"] == name] == [["read"]]
    assert "ilk_" not in listed.text


async def test_the_database_holds_no_key(office: Office) -> None:
    """Whoever reads it, or a backup of it, cannot come in with what is there."""
    _, made = await office.make("read")
    key = made.headers["authorization"].removeprefix("Bearer ")
    await made.aclose()
    async with dependency(office.app, Database).sessions() as session:
        stored = str((await session.execute(text("SELECT api_key::text, audit::text FROM api_key, audit"))).all())

    assert key not in stored
    async with client(office.url, key=stored[2:66]) as thief:
        assert (await thief.get("/models")).status_code == 401


async def test_a_revoked_key_stops_at_once_here_and_soon_elsewhere(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a connection that stays open; another service learns it with its next question."""
    monkeypatch.setattr(access, "REFRESH_SECONDS", 0.1)
    name, made = await office.make("read")
    authorization = made.headers["authorization"].encode()
    elsewhere = Access(
        SecretStr(PEPPER), [], source=registry_key_source(office.url, SecretStr(SERVICE_KEYS["gateway"]))
    )
    async with made, elsewhere.keeping():
        assert (await made.get("/models")).status_code == 200
        assert elsewhere.admit(authorization) == Caller.of(name, ["read"])
        assert (await office.admin.delete(f"/keys/{name}")).json()["revoked_at"] is not None

        assert (await made.get("/models")).status_code == 401
        await until(lambda: elsewhere.admit(authorization) is None)
    assert (await office.admin.delete(f"/keys/{name}")).status_code == 404


async def test_a_name_is_used_by_one_key_at_a_time(office: Office) -> None:
    """After it is revoked, the name is free for the next one; the admin's own is never."""
    name, made = await office.make("train")
    await made.aclose()
    again = {"name": name, "scopes": ["train"]}
    assert (await office.admin.post("/keys", json=again)).status_code == 409
    await office.admin.delete(f"/keys/{name}")
    assert (await office.admin.post("/keys", json=again)).status_code == 201

    assert (await office.admin.post("/keys", json={"name": "admin", "scopes": ["read"]})).status_code == 409
    for odd in ({"name": "service/gateway", "scopes": ["read"]}, {"name": "x", "scopes": ["write"]}, {"name": "x"}):
        assert (await office.admin.post("/keys", json=odd)).status_code == 400


async def test_a_key_may_have_an_end(office: Office) -> None:
    """One that is past is refused, one that comes is kept."""
    now = datetime.now(UTC)
    past = {"name": "late", "scopes": ["read"], "expires_at": (now - timedelta(minutes=1)).isoformat()}
    assert (await office.admin.post("/keys", json=past)).status_code == 422
    _, made = await office.make("read", expires_at=(now + timedelta(seconds=5)).isoformat())
    async with made:
        assert (await made.get("/models")).status_code == 200

        async def is_over() -> bool:
            return (await made.get("/models")).status_code == 401

        await until(is_over)


async def test_keys_are_noted_with_who_made_and_revoked_them(office: Office) -> None:
    """An admin who is somebody is named; so is the key, and what it was for."""
    chief, made = await office.make("admin")
    async with made:
        name = f"k-{uuid4().hex[:8]}"
        await made.post("/keys", json={"name": name, "scopes": ["read"]})
        await made.delete(f"/keys/{name}")
    found = await office.entries(subject=f"key/{name}")

    assert [(each.by, each.action) for each in found] == [(chief, "key.revoked"), (chief, "key.created")]
    assert found[1].details == {"scopes": ["read"]}
    assert [each.id for each in await office.entries(by=chief, before=found[0].id)] == [found[1].id]


async def test_every_change_of_who_serves_is_noted(office: Office, servers: dict[str, str]) -> None:
    """By the gate, by whose key it was, or by an event's own word, which cannot pass for a key's name."""
    lab = Registry(servers, "approval")
    lab.database = dependency(office.app, Database)
    name, chief = await office.make("promote")
    async with chief:
        body = SPEC | {"name": lab.model, "promotion": "approval"}
        assert (await chief.put(f"/pipelines/{lab.model}", json=body)).status_code == 200
        for version in (1, 2):
            await lab.train()
            await lab.deliver(lab.passed(version, version - 1 or None))
            answer = await chief.post(f"/models/{lab.model}/versions/{version}/approve", json={"by": "somebody else"})
            assert answer.json()["approved_by"] == name
        await chief.post(f"/models/{lab.model}/rollback", json={"reason": "wrong codes"})
        await lab.deliver(RollbackRequested(model=lab.model, version=2))
        await chief.put(f"/pipelines/{lab.model}", json=SPEC | {"name": lab.model})
    await lab.train()
    async with lab.database.sessions() as session, session.begin():
        lab.digest = (
            await session.scalars(text("SELECT digest FROM pipeline WHERE name = :n"), {"n": lab.model})
        ).one()
    await lab.train()
    await lab.deliver(lab.passed(4, 2))
    found = await office.entries(subject=f"model/{lab.model}")

    assert [(each.by, each.action, each.subject.rpartition("/")[2]) for each in reversed(found)] == [
        (name, "version.approved", "1"),
        (name, "version.approved", "2"),
        (name, "version.rolled_back", "1"),
        ("event//interlock/test", "version.rolled_back", "2"),
        (audit.GATE, "version.promoted", "4"),
    ]
    assert found[2].details == {"promotion_seq": 3, "instead_of": 2, "reason": "wrong codes"}
    assert [each.by for each in await office.entries(subject=f"pipeline/{lab.model}")] == [name, name]


async def test_who_stopped_a_run_is_noted(office: Office) -> None:
    """The dispatcher says it, the registry keeps it with everything else that was done."""
    run, lab = uuid4(), dependency(office.app, Database)
    event = TrainingCancelled(run_id=run, model="m", by="ci", reason="wrong data")
    async with lab.sessions() as session, session.begin():
        await handlers.note_cancellation(event, session)
    (entry,) = await office.entries(subject=f"run/{run}")

    assert (entry.by, entry.action) == ("ci", "run.cancelled")
    assert entry.details == {"model": "m", "reason": "wrong data"}


async def test_who_asked_for_a_run_is_noted(office: Office) -> None:
    """With the reason, in the words of whoever asked."""
    run, lab = uuid4(), dependency(office.app, Database)
    event = TrainingQueued(run_id=run, model="m", by="event//my/cron", reason="monthly")
    async with lab.sessions() as session, session.begin():
        await handlers.note_request(event, session)
    (entry,) = await office.entries(subject=f"run/{run}")

    assert (entry.by, entry.action, entry.details) == (
        "event//my/cron", "run.requested", {"model": "m", "reason": "monthly"}
    )  # fmt: skip
    assert entry in await office.entries(model="m", since=entry.at.isoformat())
    assert not await office.entries(model="m", until=entry.at.isoformat(), subject=f"run/{run}")
    assert not await office.entries(model="another", subject=f"run/{run}")


async def test_what_is_rolled_back_was_never_done(office: Office) -> None:
    """An entry stands in the transaction that it tells of."""
    subject = f"model/{uuid4().hex}"
    with pytest.raises(ZeroDivisionError):
        async with dependency(office.app, Bus).transaction() as session:
            audit.record(session, "ada", "version.approved", subject)
            await session.flush()
            1 / 0  # noqa: B018

    assert not await office.entries(subject=subject)


async def test_a_key_made_at_one_replica_works_at_the_other(office: Office, servers: dict[str, str]) -> None:
    """They share the database, not memory."""
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(opened(servers))
        _, made = await office.make("read")
        await stack.enter_async_context(made)
        answer = await other.admin.get("/models", headers={"Authorization": made.headers["authorization"]})

    assert answer.status_code == 200
    assert KEY not in answer.text
