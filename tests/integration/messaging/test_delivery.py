"""The promises of the bus, on a real broker and a real database: nothing lost, nothing twice, nothing silent."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

import aio_pika
import pytest
from faststream.rabbit import RabbitRouter
from interlock_contracts.catalog import BY_TYPE, Route
from interlock_contracts.event import Envelope
from interlock_contracts.permissions import RETRY_SECONDS
from interlock_contracts.training import RetrainRequested
from interlock_messaging import Bus, CausationEnvelope, PoisonError, Publisher, Session, enqueue, relay, topology
from interlock_messaging.delivery import ATTEMPT, ERROR
from interlock_messaging.tables import InboxRow, OutboxRow
from interlock_runtime.database import Database
from sqlalchemy import func, select

from tests.support.waiting import until

pytestmark = pytest.mark.integration

Handler = Callable[[RetrainRequested], Awaitable[None]]


class Lab:
    """One throw-away service: its bus, its database, and what its handler saw."""

    def __init__(self, servers: dict[str, str], handle: Handler | None = None, **bus: Any) -> None:
        self.name = f"lab-{uuid4().hex[:8]}"
        self.url = servers["INTERLOCK_AMQP_URL"]
        self.database = Database(servers["INTERLOCK_POSTGRES_URL"], self.name)
        self.seen: list[str] = []
        self.attempts: list[int] = []
        self.publishers: list[str | None] = []
        router = RabbitRouter()

        @router.subscriber(topology.queue(self.name, RetrainRequested), topology.EXCHANGE, no_reply=True)
        async def on_retrain(
            event: RetrainRequested, cause: CausationEnvelope, publisher: Publisher, session: Session
        ) -> None:
            if event.model != self.name:
                return
            self.publishers.append(publisher)
            assert session.in_transaction()
            self.seen.append(cause.identity)
            if handle is not None:
                await handle(event)

        self.bus = Bus(self.url, service=self.name, router=router, sessions=self.database.sessions, **bus)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Lab"]:
        await topology.declare(self.url, self.bus.queues)
        async with self.database.ready("interlock_messaging"), self.bus.running():
            try:
                yield self
            finally:
                await self._delete_queues()

    async def _delete_queues(self) -> None:
        """Queues are durable: left behind, they would fill up with other tests' events."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            for name in ("retrain.requested", "retrain.requested.dead"):
                await channel.queue_delete(f"{self.name}.{name}")

    def event(self) -> RetrainRequested:
        return RetrainRequested(model=self.name)

    async def enqueue(self, cause: str) -> Envelope:
        async with self.bus.transaction() as session:
            return await enqueue(session, self.event(), source="lab", cause=cause)

    async def publish(self, body: bytes, headers: dict[str, Any], queue: str | None = None) -> None:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            exchange = channel.default_exchange if queue else await channel.get_exchange("interlock.events")
            message = aio_pika.Message(body, headers=headers, content_type="application/json")
            await exchange.publish(message, routing_key=queue or "retrain.requested")

    async def dead(self) -> aio_pika.abc.AbstractIncomingMessage:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            letters = await channel.get_queue(f"{self.name}.retrain.requested.dead")
            letter: aio_pika.abc.AbstractIncomingMessage = await until(lambda: letters.get(fail=False, no_ack=True))
            return letter

    async def count(self, what: Any) -> int:
        async with self.database.sessions() as session:
            return (await session.execute(select(func.count()).select_from(OutboxRow).where(what))).scalar_one()


def envelope(lab: Lab, cause: str | None = None) -> Envelope:
    return Envelope.of(lab.event(), source="outside", cause=cause or str(uuid4()), now=datetime.now(UTC))


async def test_events_of_a_committed_transaction_are_handled_exactly_once(servers: dict[str, str]) -> None:
    """A committed event arrives, a repeat of it has no second effect, and its outbox row is marked."""
    async with Lab(servers).running() as lab:
        said = await lab.enqueue("cause")
        again = await lab.enqueue("cause")
        await until(lambda: lab.seen)
        await lab.publish(lab.event().body(), dict(said.headers()))
        last = await lab.enqueue("another cause")
        await until(lambda: last.id in lab.seen)

        assert said.id == again.id
        assert lab.seen == [said.id, last.id]

        async def both_are_marked() -> bool:
            return await lab.count(OutboxRow.published_at.is_not(None)) == 2

        await until(both_are_marked)  # after the confirm, which may come after the event was handled


async def test_where_all_share_a_user_the_source_names_the_publisher(servers: dict[str, str]) -> None:
    """Of services of ours only: any other source is no user."""
    async with Lab(servers).running() as lab:
        for source in ("/interlock/gateway", "/my/cron"):
            headers = {"ce-id": str(uuid4()), "ce-source": source, "ce-type": RetrainRequested.type}
            await lab.publish(lab.event().body(), headers)
        await until(lambda: len(lab.publishers) == 2)

        assert sorted(lab.publishers, key=str) == [None, "interlock_gateway"]


async def test_a_commit_wakes_the_relay(servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Polling is for what other replicas have left; an event that was just enqueued waits for no interval."""
    monkeypatch.setattr(relay, "IDLE_SECONDS", 3600.0)
    monkeypatch.setattr(relay, "POLL_SECONDS", 3600.0)
    async with Lab(servers).running() as lab:
        for cause in ("one", "two", "three"):
            said = await lab.enqueue(cause)
            await until(lambda: lab.seen[-1:] == [said.id])  # noqa: B023 - awaited in this turn of the loop


async def test_events_of_two_sources_with_the_same_id_are_two(servers: dict[str, str], caplog: Any) -> None:
    """CloudEvents are identified by source and id: a night's event of one team is not that of another."""
    caplog.set_level("INFO", logger="interlock_messaging.delivery")
    async with Lab(servers).running() as lab:
        body, kind = lab.event().body(), RetrainRequested.type
        a, b = ({"ce-id": "nightly", "ce-source": f"/cron/team-{team}", "ce-type": kind} for team in "ab")
        await lab.publish(body, a)
        await until(lambda: len(lab.seen) == 1)
        await lab.publish(body, b)
        await until(lambda: len(lab.seen) == 2)
        await lab.publish(body, a)
        await until(lambda: "nightly was handled before" in caplog.text)

        assert lab.seen == ["/cron/team-a#nightly", "/cron/team-b#nightly"]


async def test_what_the_last_release_has_handled_is_not_handled_again(servers: dict[str, str]) -> None:
    """It wrote down ids without their source."""
    async with Lab(servers).running() as lab:
        async with lab.bus.transaction() as session:
            session.add(InboxRow(consumer=f"{lab.name}.retrain.requested", event_id="before"))
        headers = {"ce-id": "before", "ce-source": "/cron/team-a", "ce-type": RetrainRequested.type}
        await lab.publish(lab.event().body(), headers)
        last = await lab.enqueue("the last one")
        await until(lambda: last.id in lab.seen)

        assert lab.seen == [last.id]


async def test_a_rolled_back_transaction_publishes_nothing(servers: dict[str, str]) -> None:
    """A state change and its event happen both or neither."""
    async with Lab(servers).running() as lab:
        with pytest.raises(RuntimeError, match="no"):
            async with lab.bus.transaction() as session:
                await enqueue(session, lab.event(), source="lab", cause="lost")
                raise RuntimeError("no")

        marker = await lab.enqueue("kept")
        await until(lambda: lab.seen)
        assert lab.seen == [marker.id]


async def test_what_was_committed_before_a_crash_is_published_after_it(servers: dict[str, str]) -> None:
    """A process that dies between its commit and its publish loses nothing: the row is still there."""
    lab = Lab(servers)
    await lab.database.migrate("interlock_messaging")
    async with lab.database.sessions() as session, session.begin():
        said = await enqueue(session, lab.event(), source="lab", cause="before the crash")

    async with lab.running():
        await until(lambda: lab.seen == [said.id])


async def test_a_failing_handler_is_tried_again_and_leaves_no_trace_of_the_failure(servers: dict[str, str]) -> None:
    """The failed attempt's inbox row is rolled back with it, so that the next attempt is not taken for a repeat."""
    failures = [ValueError("first"), None]

    async def fail_once(_: RetrainRequested) -> None:
        if (error := failures.pop(0)) is not None:
            raise error

    async with Lab(servers, fail_once).running() as lab:
        said = await lab.enqueue("cause")
        await until(lambda: not failures)

        assert lab.seen == [said.id, said.id]
        async with lab.database.sessions() as session:
            await until(lambda: session.scalar(select(func.count()).select_from(InboxRow)))


async def test_the_last_attempt_ends_in_the_dead_letters_with_the_reason(servers: dict[str, str]) -> None:
    """Attempts are counted in the message, so the count is right on every version of the broker."""

    async def fail(_: RetrainRequested) -> None:
        raise ValueError("never works")

    async with Lab(servers, fail).running() as lab:
        headers = {**envelope(lab).headers(), ATTEMPT: len(RETRY_SECONDS)}
        await lab.publish(lab.event().body(), headers)

        letter = await lab.dead()
        assert letter.headers[ERROR] == "ValueError: never works"
        assert letter.headers[ATTEMPT] == len(RETRY_SECONDS) + 1
        assert letter.body == lab.event().body()


async def test_poison_is_not_tried_again(servers: dict[str, str]) -> None:
    """What no repeat can make right goes to the dead letters at once."""

    async def refuse(_: RetrainRequested) -> None:
        raise PoisonError("no such model")

    async with Lab(servers, refuse).running() as lab:
        await lab.enqueue("cause")
        letter = await lab.dead()
        assert (letter.headers[ERROR], len(lab.seen)) == ("no such model", 1)


@pytest.mark.parametrize(
    ("body", "headers", "told"),
    [
        (b"\xff\x00 not json", {}, "not JSON"),
        (b"{}", {}, "id"),
        (b'{"model": "m"}', {"ce-id": "1", "ce-source": "/x", "ce-type": "no.such.event"}, "unknown event type"),
        (b'{"modle": "m"}', {"ce-id": "1", "ce-source": "/x", "ce-type": "retrain.requested"}, "model"),
    ],
)
async def test_a_malformed_message_is_a_dead_letter_with_the_reason(
    servers: dict[str, str], body: bytes, headers: dict[str, str], told: str
) -> None:
    """Rubbish stops nothing and is not lost; the reason names the fault."""
    async with Lab(servers).running() as lab:
        await lab.publish(body, dict(headers), queue=f"{lab.name}.retrain.requested")

        letter = await lab.dead()
        assert letter.body == body
        assert told in str(letter.headers[ERROR])
        said = await lab.enqueue("still alive")
        await until(lambda: lab.seen == [said.id])


async def test_a_message_waits_for_a_dependency_that_is_down(servers: dict[str, str]) -> None:
    """An outage costs no attempt: the message is held, and handled when the dependency is back."""
    down = [ConnectionError("S3"), TimeoutError("S3"), ConnectionError("S3")]

    async def need_s3(_: RetrainRequested) -> None:
        if down:
            raise down.pop()

    async with Lab(servers, need_s3).running() as lab:
        await lab.enqueue("cause")
        await until(lambda: len(lab.seen) == 4)
        assert not down


class Unheard(RetrainRequested):
    """True in this test only: no queue is bound for it, as after a binding was deleted."""

    type: ClassVar[str] = f"lab.unheard.{uuid4().hex[:8]}"


async def test_an_event_without_a_queue_stays_in_the_outbox_with_the_reason(
    servers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost binding is an error that someone can see, and the event goes out once it is mended."""
    monkeypatch.setitem(BY_TYPE, Unheard.type, Route(Unheard, ("lab",), ("lab",)))
    async with Lab(servers).running() as lab:
        async with lab.bus.transaction() as session:
            await enqueue(session, Unheard(model=lab.name), source="lab", cause="cause")
        refused = (OutboxRow.failures > 0) & OutboxRow.last_error.contains("NO_ROUTE")
        await until(lambda: lab.count(refused))

        async with await aio_pika.connect(lab.url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(f"{lab.name}.unheard", exclusive=True)
            await queue.bind("interlock.events", Unheard.type)
            await until(lambda: lab.count(OutboxRow.published_at.is_not(None)))
            message = await queue.get()
            assert message is not None
            assert message.headers["cloudEvents_type"] == Unheard.type
