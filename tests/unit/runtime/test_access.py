"""Whom one process lets in: from memory, whatever is down."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from interlock_contracts.access import KEY_PREFIX, KeyRing, RingKey
from interlock_runtime import access as module
from interlock_runtime.access import Access, Caller, new_key
from pydantic import SecretStr

from tests.support.api_keys import KEY, PEPPER, letting_in, ring_key
from tests.support.waiting import until

ADMIN = ring_key(KEY, "admin", "admin")


class Registry:
    """The registry's ring, which may be down; counts how often it was asked."""

    def __init__(self, *keys: RingKey) -> None:
        self.keys: Sequence[RingKey] = keys
        self.asked = 0
        self.is_down = False

    async def ring(self) -> KeyRing:
        self.asked += 1
        if self.is_down:
            raise ConnectionError("the registry is down")
        return KeyRing(keys=list(self.keys))

    @asynccontextmanager
    async def known_to(self, folder: Path | None = None) -> AsyncIterator[Access]:
        remember = folder / "keys.json" if folder else None
        access = Access(SecretStr(PEPPER), [ADMIN], source=self.ring, remember=remember)
        async with access.keeping():
            yield access


def bearer(key: str) -> bytes:
    return f"Bearer {key}".encode()


@pytest.mark.parametrize(
    "header", [b"", b"Bearer", b"Bearer ", KEY.encode(), bearer(KEY + " "), b"Basic " + KEY.encode()]
)
def test_only_the_key_itself_lets_in(header: bytes) -> None:
    """Nothing that looks like it does."""
    assert letting_in().admit(bearer(KEY)) is not None
    assert letting_in().admit(header) is None


def test_admin_may_do_everything_and_a_scope_only_what_it_says() -> None:
    """Scopes do not imply one another; admin implies all."""
    assert Caller.of("a", ["admin"]).scopes == {"predict", "read", "ingest", "train", "promote", "admin"}
    assert Caller.of("b", ["train"]).scopes == {"train"}
    assert Caller.of("service/gateway", []).service == "gateway"
    assert Caller.of("gateway", []).service is None


def test_a_new_key_is_recognisable_and_never_the_same() -> None:
    """256 random bits after a prefix that a search for leaked secrets knows."""
    made = {new_key() for _ in range(100)}

    assert len(made) == 100
    assert all(key.startswith(KEY_PREFIX) and len(key) == len(KEY_PREFIX) + 43 for key in made)


def test_neither_key_nor_pepper_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Not by the object, not by what it logs; a wrong key is not even kept."""
    access = letting_in()
    access.admit(bearer(KEY))
    access.admit(bearer("ilk_wrong-but-secret"))
    told = f"{access!r} {caplog.text}"

    assert KEY not in told
    assert "ilk_wrong" not in f"{told} {vars(access)}"


def test_an_expired_key_authenticates_nothing() -> None:
    """Expiry needs no registry: the clock is enough."""
    now = datetime.now(UTC)
    soon, over = (ring_key(name, name, "read") for name in ("soon", "over"))
    soon.expires_at, over.expires_at = now + timedelta(minutes=1), now - timedelta(seconds=1)
    access = Access(SecretStr(PEPPER), [soon, over])

    assert access.admit(bearer("soon")) is not None
    assert access.admit(bearer("over")) is None


async def test_a_revoked_key_is_forgotten_with_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a request or an event: the ring is asked again and again."""
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.02)
    registry = Registry(ring_key("ilk_ci", "ci", "train"))
    async with registry.known_to() as access:
        assert access.admit(bearer("ilk_ci")) == Caller.of("ci", ["train"])
        registry.keys = []
        await until(lambda: access.admit(bearer("ilk_ci")) is None)

        assert access.admit(bearer(KEY)) is not None


async def test_the_ring_cannot_take_the_deployments_keys_away() -> None:
    """The registry's ring neither removes nor weakens the admin's key."""
    async with Registry(ring_key(KEY, "somebody", "read")).known_to() as access:
        found = access.admit(bearer(KEY))

    assert found == Caller.of("admin", ["admin"])


async def test_keys_are_remembered_over_a_restart_without_a_registry(tmp_path: Path) -> None:
    """What was known last goes on, also in a new process; a file that is none is no reason to stop."""
    registry = Registry(ring_key("ilk_app", "app", "predict"))
    async with registry.known_to(tmp_path):
        pass
    registry.is_down = True
    async with registry.known_to(tmp_path) as access:
        assert access.admit(bearer("ilk_app")) == Caller.of("app", ["predict"])

    assert "ilk_app" not in (tmp_path / "keys.json").read_text()
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0
    (tmp_path / "keys.json").write_text("{")
    async with registry.known_to(tmp_path) as access:
        assert access.admit(bearer(KEY)) is not None


async def test_a_key_made_this_moment_works_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown key is asked for; a flood of wrong ones asks no more often than once in a while."""
    async with AsyncExitStack() as stack:
        registry = Registry()
        access = await stack.enter_async_context(registry.known_to())
        monkeypatch.setattr(module, "REFRESH_INTERVAL_SECONDS", 0.0)
        registry.keys = [ring_key("ilk_new", "new", "read")]
        assert await access.admit_or_refresh(bearer("ilk_new")) == Caller.of("new", ["read"])

        monkeypatch.setattr(module, "REFRESH_INTERVAL_SECONDS", 0.1)
        asked = registry.asked
        wrong = [access.admit_or_refresh(bearer(f"ilk_wrong{number}")) for number in range(500)]
        assert set(await asyncio.gather(*wrong)) == {None}
        assert registry.asked == asked + 1


async def test_without_a_registry_a_wrong_key_is_refused_at_once() -> None:
    """No request waits for an answer that does not come."""
    registry = Registry()
    async with registry.known_to() as access:
        await until(lambda: registry.asked == 2)
        registry.is_down = True
        for _ in range(20):
            assert await access.admit_or_refresh(bearer("ilk_wrong")) is None
        assert registry.asked == 3


async def test_an_older_answer_never_replaces_a_newer_one() -> None:
    """A slow answer from before a revocation does not bring the key back."""
    registry, slow = Registry(ring_key("ilk_ci", "ci", "train")), asyncio.Event()
    access = Access(SecretStr(PEPPER), [], source=registry.ring)

    async def slowly() -> KeyRing:
        ring = await registry.ring()
        await slow.wait()
        return ring

    access._source = slowly
    first = asyncio.create_task(access.refresh())
    await until(lambda: registry.asked == 1)
    registry.keys, access._source = [], registry.ring
    second = asyncio.create_task(access.refresh())
    await asyncio.sleep(0)
    slow.set()
    await asyncio.gather(first, second)

    assert access.admit(bearer("ilk_ci")) is None
