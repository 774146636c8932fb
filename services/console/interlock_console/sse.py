"""Server-sent events: stored events by Postgres NOTIFY, and ephemeral events straight from the broker.

Events of the read model are announced to every replica after their commit, by NOTIFY. Ephemeral events are not stored;
they are consumed while somebody watches, rate-limited, and those that are dropped are counted.
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
from interlock_contracts.permissions import TAIL
from interlock_messaging import Bus, topology
from interlock_messaging.malformed import check_headers
from interlock_runtime.database import Database
from litestar.response import ServerSentEventMessage

from interlock_console import store
from interlock_console.domain import columns, scalar_fields
from interlock_console.runs import event_view

logger = logging.getLogger(__name__)

EPHEMERAL_TYPES = frozenset(route.event.type for route in ROUTES if route.ephemeral)
HEARTBEAT_SECONDS = 10.0
MAX_STREAM_SECONDS = 600.0
"""A listener that wants more reconnects, as EventSource does by itself, with the id of its last event."""

QUEUE_SIZE = 500
"""Capacity of a listener's queue, in messages; more are dropped and counted."""

MAX_LISTENERS = 200
EPHEMERAL_PER_SECOND = 50
SPANS_SECONDS = 0.5
MAX_NOTIFIED_TRACES = 200
"""Trace ids in one notification, whose payload is limited."""

PING_SECONDS = 5.0
MAX_REPLAYED = 200
"""Events replayed to a listener that reconnects; after more of them it should reload."""


@dataclass(eq=False)
class Listener:
    """One SSE stream: its filter and its bounded queue."""

    types: frozenset[str]
    model: str | None = None
    run: str | None = None
    messages: asyncio.Queue[ServerSentEventMessage | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_SIZE))
    dropped: int = 0

    @property
    def wants_ephemeral(self) -> bool:
        """Whether ephemeral events can match its filter."""
        return self.run is None and (not self.types or bool(self.types & EPHEMERAL_TYPES))

    def matches(self, event: EventView) -> bool:
        """Return whether an event passes its filter."""
        return (
            (not self.types or event.type in self.types)
            and (self.model is None or event.model == self.model)
            and (self.run is None or str(event.run_id) == self.run)
        )

    def offer(self, message: ServerSentEventMessage) -> None:
        """Put a message into the queue; where that is full, drop and count it."""
        if self.messages.full():
            self.dropped += 1
        else:
            self.messages.put_nowait(message)


class EventStream:
    """Broadcasts events to the listeners of this process."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._listeners: set[Listener] = set()
        self._seqs: list[int] = []
        self._wake = asyncio.Event()
        self._traces: dict[str, None] = {}
        self._closed = False
        self._tail = EphemeralTail(bus, self._broadcast)

    def note_new_spans(self, trace_ids: Iterable[str]) -> None:
        """Note new spans of these traces, for the next :meth:`notify_spans`."""
        if len(self._traces) < MAX_NOTIFIED_TRACES:
            self._traces |= dict.fromkeys(trace_ids)

    async def notify_spans(self) -> None:
        """Notify all replicas of the traces with new spans; called twice a second, to coalesce bursts."""
        if self._traces:
            trace_ids, self._traces = list(self._traces)[:MAX_NOTIFIED_TRACES], {}
            async with self._bus.transaction() as session:
                await store.notify(session, "spans", ",".join(trace_ids))

    def close(self) -> None:
        """End all streams; called when shutdown begins, as the server waits for open responses."""
        self._closed = True
        for listener in self._listeners:
            if not listener.messages.full():
                listener.messages.put_nowait(None)

    async def listen(self) -> None:
        """LISTEN on Postgres and broadcast until the connection is lost, which raises ConnectionError."""
        async with self._database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await raw.add_listener(store.CHANNEL, self._on_notification)
            for listener in self._listeners:  # events in between are lost
                listener.offer(ServerSentEventMessage(event="reset", data="{}"))
            try:
                while not raw.is_closed():
                    await self._broadcast_events()
                    try:
                        async with asyncio.timeout(PING_SECONDS):
                            await self._wake.wait()
                    except TimeoutError:
                        await raw.execute("SELECT 1")
            finally:
                if not raw.is_closed():
                    await raw.remove_listener(store.CHANNEL, self._on_notification)
        raise ConnectionError("Postgres has closed the connection for notifications")

    def _on_notification(self, _: Any, __: int, ___: str, payload: str) -> None:
        what, _space, rest = payload.partition(" ")
        if what == "event" and self._listeners:
            self._seqs.append(int(rest))
            self._wake.set()
        elif what == "spans":
            message = ServerSentEventMessage(event="spans", data=_json({"trace_ids": rest.split(",")}))
            for listener in self._listeners:
                listener.offer(message)

    async def _broadcast_events(self) -> None:
        self._wake.clear()
        seqs, self._seqs = self._seqs, []
        if seqs:
            async with self._database.sessions() as session:
                for row in await store.events_by_seq(session, seqs):
                    self._broadcast(event_view(row), str(row.seq))

    def _broadcast(self, event: EventView, seq: str | None = None) -> None:
        message = ServerSentEventMessage(event=event.type, id=seq, data=event.model_dump_json(exclude_none=True))
        for listener in self._listeners:
            if listener.matches(event):
                listener.offer(message)

    async def stream(self, listener: Listener, last: int | None) -> AsyncIterator[ServerSentEventMessage]:
        """Yield a listener's events for ``MAX_STREAM_SECONDS``; ``last`` is the ``seq`` of the last one it has."""
        loop = asyncio.get_running_loop()
        until = loop.time() + MAX_STREAM_SECONDS
        async with AsyncExitStack() as stack:
            self._listeners.add(listener)
            stack.callback(self._listeners.discard, listener)
            if listener.wants_ephemeral:
                await stack.enter_async_context(self._tail.subscribed())
            yield ServerSentEventMessage(comment="listening", retry=1000, data=None)
            for message in await self._replay(listener, last):
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
        """Whether the limit of listeners is reached."""
        return len(self._listeners) >= MAX_LISTENERS

    async def _replay(self, listener: Listener, last: int | None) -> list[ServerSentEventMessage]:
        if last is None:
            return []
        async with self._database.sessions() as session:
            rows = await store.events_since(session, last, MAX_REPLAYED)
        found = [(str(row.seq), event_view(row)) for row in rows]
        return [
            ServerSentEventMessage(event=event.type, id=seq, data=event.model_dump_json(exclude_none=True))
            for seq, event in found
            if listener.matches(event)
        ]


class EphemeralTail:
    """Ephemeral events, from an exclusive queue that exists only while somebody is subscribed."""

    def __init__(self, bus: Bus, offer: Callable[[EventView], None]) -> None:
        self._bus = bus
        self._offer = offer
        self._subscribers = 0
        self._lock = asyncio.Lock()
        self._channel: aio_pika.abc.AbstractChannel | None = None
        self._second, self._passed, self._dropped = 0, 0, 0

    @asynccontextmanager
    async def subscribed(self) -> AsyncIterator[None]:
        """Subscribe while the block lasts; the first subscriber declares the queue, the last deletes it."""
        async with self._lock:
            if self._subscribers == 0:
                self._channel = await self._open()
            self._subscribers += 1
        try:
            yield
        finally:
            async with self._lock:
                self._subscribers -= 1
                if self._subscribers == 0 and self._channel is not None:
                    await self._channel.close()
                    self._channel = None

    def take_dropped(self) -> int:
        """Return, and reset, the number of dropped events."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    async def _open(self) -> aio_pika.abc.AbstractChannel:
        connection: Any = await self._bus.consumer.connect()
        channel: aio_pika.abc.AbstractChannel = await connection.channel(publisher_confirms=False)
        queue = await channel.declare_queue(f"{TAIL}.{secrets.token_hex(8)}", exclusive=True, auto_delete=True)
        exchange = await channel.get_exchange(topology.EXCHANGE.name, ensure=False)
        for event_type in sorted(EPHEMERAL_TYPES):
            await queue.bind(exchange, routing_key=event_type)
        await queue.consume(self._on_message, no_ack=True)
        return channel

    async def _on_message(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._passed = second, 0
        self._passed += 1
        if self._passed > EPHEMERAL_PER_SECOND:
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
        self._offer(EventView.model_validate(values | {"data": scalar_fields(values["data"])}))


def _json(value: Any) -> str:
    return json.dumps(value)
