"""Server-sent events for whoever looks: what Postgres tells of, and frequent events straight from the broker.

What the console keeps is told after its commit, by Postgres' own notifications, to every replica. Frequent events it
does not keep; they come while somebody looks, a few a second, and those that are left out are counted.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aio_pika.abc
from interlock_contracts.catalog import BY_TYPE, ROUTES
from interlock_contracts.console import EventView
from interlock_contracts.event import Envelope
from interlock_contracts.rights import TAIL
from interlock_messaging import Bus, topology
from interlock_messaging.malformed import check_headers
from interlock_runtime.database import Database
from litestar.response import ServerSentEventMessage

from interlock_console import store
from interlock_console.domain import columns, shallow
from interlock_console.runs import event_view

logger = logging.getLogger(__name__)

FREQUENT = frozenset(route.event.type for route in ROUTES if route.ephemeral)
HEARTBEAT_SECONDS = 10.0
LONGEST_SECONDS = 600.0
"""Whoever wants to hear on reconnects, as EventSource does by itself, with the id of what it heard last."""

ROOM = 500
"""Messages that wait for one listener; more are dropped and counted."""

LISTENERS = 200
FREQUENT_A_SECOND = 50
SPANS_SECONDS = 0.5
TRACES_TOLD = 200
"""Traces that one message names; a notification has room for so many."""

CHECK_SECONDS = 5.0
MISSED = 200
"""Events that a listener who comes back is told of at most; it should look anew where there were more."""


@dataclass(eq=False)
class Listener:
    """One stream: what it wants, and what waits for it."""

    types: frozenset[str]
    model: str | None = None
    run: str | None = None
    messages: asyncio.Queue[ServerSentEventMessage | None] = field(default_factory=lambda: asyncio.Queue(ROOM))
    dropped: int = 0

    @property
    def wants_frequent(self) -> bool:
        """Return whether an event that the console does not keep may be for it."""
        return self.run is None and (not self.types or bool(self.types & FREQUENT))

    def wants(self, event: EventView) -> bool:
        """Return whether an event is for it."""
        return (
            (not self.types or event.type in self.types)
            and (self.model is None or event.model == self.model)
            and (self.run is None or str(event.run_id) == self.run)
        )

    def give(self, message: ServerSentEventMessage) -> None:
        """Let a message wait, or count it as dropped."""
        if self.messages.full():
            self.dropped += 1
        else:
            self.messages.put_nowait(message)


class Live:
    """Who listens in this process, and what it hears."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._listeners: set[Listener] = set()
        self._seqs: list[int] = []
        self._news = asyncio.Event()
        self._traces: dict[str, None] = {}
        self._closed = False
        self._tail = Tail(bus, self._give)

    def spans_came(self, trace_ids: Iterable[str]) -> None:
        """Note that spans of these traces are kept; whoever looks is told soon, and not more than twice a second."""
        if len(self._traces) < TRACES_TOLD:
            self._traces |= dict.fromkeys(trace_ids)

    async def tell_spans(self) -> None:
        """Tell all replicas which traces have new spans."""
        if self._traces:
            told, self._traces = list(self._traces)[:TRACES_TOLD], {}
            async with self._bus.transaction() as session:
                await store.tell(session, "spans", ",".join(told))

    def close(self) -> None:
        """End all streams; called at the first word of a stop, as a server waits for open answers."""
        self._closed = True
        for listener in self._listeners:
            if not listener.messages.full():
                listener.messages.put_nowait(None)

    async def hear(self) -> None:
        """Listen to Postgres until the connection is lost, which is an error."""
        async with self._database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await raw.add_listener(store.NEWS, self._told)
            for listener in self._listeners:  # what was said meanwhile is not known
                listener.give(ServerSentEventMessage(event="reset", data="{}"))
            try:
                while not raw.is_closed():
                    await self._tell_events()
                    try:
                        async with asyncio.timeout(CHECK_SECONDS):
                            await self._news.wait()
                    except TimeoutError:
                        await raw.execute("SELECT 1")
            finally:
                if not raw.is_closed():
                    await raw.remove_listener(store.NEWS, self._told)
        raise ConnectionError("Postgres has closed the connection for news")

    def _told(self, _: Any, __: int, ___: str, words: str) -> None:
        what, _space, rest = words.partition(" ")
        if what == "event" and self._listeners:
            self._seqs.append(int(rest))
            self._news.set()
        elif what == "spans":
            message = ServerSentEventMessage(event="spans", data=_json({"trace_ids": rest.split(",")}))
            for listener in self._listeners:
                listener.give(message)

    async def _tell_events(self) -> None:
        self._news.clear()
        seqs, self._seqs = self._seqs, []
        if seqs:
            async with self._database.sessions() as session:
                for row in await store.numbered(session, seqs):
                    self._give(event_view(row), str(row.seq))

    def _give(self, event: EventView, seq: str | None = None) -> None:
        message = ServerSentEventMessage(event=event.type, id=seq, data=event.model_dump_json(exclude_none=True))
        for listener in self._listeners:
            if listener.wants(event):
                listener.give(message)

    async def stream(self, listener: Listener, last: int | None) -> AsyncIterator[ServerSentEventMessage]:
        """Yield what a listener wants, for ten minutes at most; ``last`` is what it heard before it lost the line."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LONGEST_SECONDS
        async with AsyncExitStack() as stack:
            self._listeners.add(listener)
            stack.callback(self._listeners.discard, listener)
            if listener.wants_frequent:
                await stack.enter_async_context(self._tail.watched())
            yield ServerSentEventMessage(comment="listening", retry=1000, data=None)
            for message in await self._missed(listener, last):
                yield message
            while not self._closed and loop.time() < until:
                if dropped := listener.dropped + self._tail.take_dropped():
                    listener.dropped = 0
                    yield ServerSentEventMessage(event="dropped", data=_json({"events": dropped}))
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        waiting = await listener.messages.get()
                except TimeoutError:
                    yield ServerSentEventMessage(comment="heartbeat", data=None)
                    continue
                if waiting is not None:
                    yield waiting

    @property
    def is_full(self) -> bool:
        """Return whether nobody else may listen."""
        return len(self._listeners) >= LISTENERS

    async def _missed(self, listener: Listener, last: int | None) -> list[ServerSentEventMessage]:
        if last is None:
            return []
        async with self._database.sessions() as session:
            rows = await store.events_since(session, last, MISSED)
        found = [(str(row.seq), event_view(row)) for row in rows]
        return [
            ServerSentEventMessage(event=event.type, id=seq, data=event.model_dump_json(exclude_none=True))
            for seq, event in found
            if listener.wants(event)
        ]


class Tail:
    """The frequent events, from a queue that is there only while somebody looks."""

    def __init__(self, bus: Bus, give: Callable[[EventView], None]) -> None:
        self._bus = bus
        self._give = give
        self._watchers = 0
        self._turn = asyncio.Lock()
        self._channel: aio_pika.abc.AbstractChannel | None = None
        self._second, self._given, self._dropped = 0, 0, 0

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Hear while the block lasts; the first opens the queue, the last closes it."""
        async with self._turn:
            if self._watchers == 0:
                self._channel = await self._open()
            self._watchers += 1
        try:
            yield
        finally:
            async with self._turn:
                self._watchers -= 1
                if self._watchers == 0 and self._channel is not None:
                    await self._channel.close()
                    self._channel = None

    def take_dropped(self) -> int:
        """Return how many were left out since somebody asked."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    async def _open(self) -> aio_pika.abc.AbstractChannel:
        connection: Any = await self._bus.consumer.connect()
        channel: aio_pika.abc.AbstractChannel = await connection.channel(publisher_confirms=False)
        queue = await channel.declare_queue(f"{TAIL}.{secrets.token_hex(8)}", exclusive=True, auto_delete=True)
        exchange = await channel.get_exchange(topology.EXCHANGE.name, ensure=False)
        for event_type in sorted(FREQUENT):
            await queue.bind(exchange, routing_key=event_type)
        await queue.consume(self._came, no_ack=True)
        return channel

    async def _came(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._given = second, 0
        self._given += 1
        if self._given > FREQUENT_A_SECOND:
            self._dropped += 1
            return
        try:
            check_headers(message.headers)
            envelope, data = Envelope.parse(message.headers, message.body, message.content_type)
            event = BY_TYPE[envelope.type].event.model_validate(data)
        except (ValueError, KeyError) as error:
            logger.info("a message on the tail is no event: %s", error)
            return
        values = columns(event, envelope, datetime.now(UTC))
        self._give(EventView.model_validate(values | {"data": shallow(values["data"])}))


def _json(value: Any) -> str:
    return json.dumps(value)
