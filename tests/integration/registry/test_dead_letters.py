"""Dead letters over HTTP, on a real broker and a real database: read, replayed once in effect, discarded."""

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aio_pika
import httpx
import pytest
from interlock_contracts.training import RetrainRequested
from interlock_messaging import PoisonError
from interlock_messaging.dead_letters import Collector
from interlock_messaging.delivery import ATTEMPT
from interlock_registry import dead_letters
from interlock_registry.store import AuditRow
from interlock_runtime.http import http_app
from sqlalchemy import select

from tests.integration.messaging.test_delivery import Lab
from tests.support.api_keys import KEY, letting_in
from tests.support.waiting import until

pytestmark = pytest.mark.integration

ADMIN = {"Authorization": f"Bearer {KEY}"}


class Desk:
    """A service whose handler fails as it is told to, and the desk where its dead letters are dealt with."""

    def __init__(self, lab: Lab, http: httpx.AsyncClient, faults: list[Exception]) -> None:
        self.lab = lab
        self.queue = f"{lab.name}.retrain.requested"
        self.faults = faults
        self._http = http

    async def ask(self, method: str, path: str = "", *, status: int = 200) -> Any:
        answer = await self._http.request(method, f"/dead-letters{path}", headers=ADMIN)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def letters(self, count: int = 1) -> list[Any]:
        """Return the letters once there are so many."""

        async def all_there() -> list[Any] | None:
            found: list[Any] = await self.ask("GET", f"?queue={self.queue}")
            return found if len(found) == count else None

        found: list[Any] = await until(all_there)
        return found

    async def none_left(self) -> bool:
        left: list[Any] = await self.ask("GET", f"?queue={self.queue}")
        return not left

    async def send(self, body: bytes, queue: str = "", **properties: Any) -> None:
        """Put a message into the queue, or into another."""
        async with await aio_pika.connect(self.lab.url) as connection:
            channel = await connection.channel()
            message = aio_pika.Message(body, **properties)
            await channel.default_exchange.publish(message, routing_key=queue or self.queue)


def at(app: Any) -> httpx.AsyncClient:
    """Return a client of an application in this very process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk")


@asynccontextmanager
async def desk_of(servers: dict[str, str]) -> AsyncIterator[Desk]:
    faults: list[Exception] = []

    async def fail(_: RetrainRequested) -> None:
        if faults:
            raise faults[0]

    lab = Lab(servers, fail)
    app = http_app(
        "lab",
        letting_in(),
        routes=dead_letters.ROUTES,
        pings={},
        lifespan=[],
        dependencies={"bus": lab.bus, "database": lab.database},
    )
    async with lab.running():
        await lab.database.migrate(dead_letters.DATABASE, "interlock_registry")
        desk_queue = f"{lab.name}.retrain.requested"
        async with Collector(lab.bus, [desk_queue]).running(), at(app) as http:
            yield Desk(lab, http, faults)


@pytest.fixture
async def desk(servers: dict[str, str]) -> AsyncIterator[Desk]:
    async with desk_of(servers) as opened:
        yield opened


async def test_a_dead_letter_tells_what_it_is_and_why_it_died(desk: Desk) -> None:
    """Queue, reason, attempts, age, the event's own content, and the trace that leads to its cause."""
    desk.faults.append(PoisonError("no such model"))
    published = await desk.lab.enqueue("cause")

    (letter,) = await desk.letters()
    assert (letter["queue"], letter["reason"], letter["attempts"]) == (desk.queue, "no such model", 1)
    assert (letter["event_id"], letter["event_type"]) == (published.id, "retrain.requested")
    assert 0 <= letter["age_seconds"] < 60
    whole = await desk.ask("GET", f"/{letter['id']}")
    assert whole["data"] == {"model": desk.lab.name}
    assert whole["headers"]["cloudEvents_id"] == published.id
    assert whole["trace_id"] is None or len(whole["trace_id"]) == 32


async def test_a_replay_has_its_effect_once_however_often_it_is_asked_for(desk: Desk) -> None:
    """It goes back to its queue, through the inbox; a second copy of the same letter changes nothing."""
    desk.faults.append(PoisonError("not yet"))
    published = await desk.lab.enqueue("cause")
    (letter,) = await desk.letters()
    desk.faults.clear()

    again = {"headers": dict(published.headers()), "content_type": "application/json"}
    await desk.send(desk.lab.event().body(), f"{desk.queue}.dead", **again)
    both = await desk.letters(2)
    for each in both:
        assert (await desk.ask("POST", f"/{each['id']}/replay"))["id"] == each["id"]
    await desk.ask("POST", f"/{letter['id']}/replay", status=404)

    last = await desk.lab.enqueue("another cause")
    await until(lambda: last.id in desk.lab.seen)
    assert desk.lab.seen == [published.id, published.id, last.id], "once in vain, once in effect"
    assert await desk.none_left()


async def test_a_compressed_event_is_told_as_one_and_keeps_its_encoding(desk: Desk) -> None:
    """Nothing unpacks it, so the reason names what its publisher did, before a replay and after."""
    headers = {"ce-id": "1", "ce-source": "/x", "ce-type": "retrain.requested"}
    await desk.send(gzip.compress(desk.lab.event().body()), headers=headers, content_encoding="gzip")

    for _ in range(2):
        (letter,) = await desk.letters()
        assert "its content encoding is 'gzip'" in letter["reason"]
        assert (await desk.ask("GET", f"/{letter['id']}"))["content_encoding"] == "gzip"
        await desk.ask("POST", f"/{letter['id']}/replay")


async def test_a_letter_that_is_still_poison_comes_back_with_its_attempts_counted_on(desk: Desk) -> None:
    """A replay has fresh attempts, and what was tried before is not forgotten."""
    desk.faults.append(PoisonError("never"))
    headers = {ATTEMPT: 4, "ce-id": "1", "ce-source": "/x", "ce-type": "retrain.requested"}
    await desk.send(desk.lab.event().body(), headers=headers)

    for attempts in (5, 6, 7):
        (letter,) = await desk.letters()
        assert (letter["attempts"], letter["reason"]) == (attempts, "never")
        await desk.ask("POST", f"/{letter['id']}/replay")
        await until(lambda tried=attempts - 3: len(desk.lab.seen) == tried)  # type: ignore[misc]


async def test_rubbish_is_listed_shown_and_discarded(desk: Desk) -> None:
    """Whatever its body, its headers or its length; and discarding it leaves a note of who did."""
    texts = [b"\xff\x00 not json", b"[" * 100_000, b"x" * 200_000, b'{"n": NaN, "s": "\\ud800"}']
    for body in texts:
        await desk.send(body, headers={"x\x00y": "\x00", "deep": {"er": [None, 1.5, bytearray(b"\xff")]}})

    found = await desk.letters(len(texts))
    assert sorted(each["bytes"] for each in found) == sorted(map(len, texts))
    for each in found:
        shown = await desk.ask("GET", f"/{each['id']}")
        assert shown["reason"].startswith("not a valid event")
        assert json.dumps(shown)
        await desk.ask("DELETE", f"/{each['id']}")
    assert await desk.none_left()
    async with desk.lab.database.sessions() as session:
        notes = (await session.scalars(select(AuditRow).order_by(AuditRow.id))).all()
    assert [(note.by, note.action) for note in notes] == [("admin", "dead_letter.discarded")] * len(texts)


async def test_a_letter_that_the_broker_made_is_told_as_such(desk: Desk) -> None:
    """A message that kills whoever gets it has no reason of its own; the broker's is shown."""
    death = {"queue": desk.queue, "reason": "delivery_limit", "count": 1, "exchange": "", "routing-keys": []}
    earlier = {"queue": "interlock.retry.1s", "reason": "expired", "count": 1, "exchange": "", "routing-keys": []}
    headers = {"x-death": [earlier, death], ATTEMPT: 1, "x-error": "ValueError: before"}
    await desk.send(desk.lab.event().body(), f"{desk.queue}.dead", headers=headers)

    (letter,) = await desk.letters()
    assert "after 50 deliveries" in letter["reason"]
    assert letter["reason"].endswith("before that: ValueError: before")


async def test_a_letter_waits_in_its_queue_while_nobody_collects_and_is_kept_once(servers: dict[str, str]) -> None:
    """Whoever comes later finds it; the same message twice, as after a crash, is one letter."""
    lab = Lab(servers)
    async with lab.running():
        await lab.database.migrate(dead_letters.DATABASE)
        queue, message_id = f"{lab.name}.retrain.requested", str(uuid4())
        async with await aio_pika.connect(lab.url) as connection:
            channel = await connection.channel()
            for _ in range(2):
                message = aio_pika.Message(b"{}", message_id=message_id, headers={"x-error": "why"})
                await channel.default_exchange.publish(message, routing_key=f"{queue}.dead")
        app = http_app(
            "lab",
            letting_in(),
            routes=dead_letters.ROUTES,
            pings={},
            lifespan=[],
            dependencies={"bus": lab.bus, "database": lab.database},
        )
        async with Collector(lab.bus, [queue]).running(), at(app) as http:
            desk = Desk(lab, http, [])
            await desk.letters(1)
