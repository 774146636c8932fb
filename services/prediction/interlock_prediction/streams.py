"""Server-sent events of predictions: one database poll for all listeners, however many they are."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
from interlock_runtime.database import Database
from litestar.response import ServerSentEventMessage
from sqlalchemy import select

from interlock_prediction.domain import ENDED
from interlock_prediction.store import PredictionRow

POLL_SECONDS = 0.1
HEARTBEAT_SECONDS = 10.0
MAX_STREAM_SECONDS = 300.0
"""A client that wants more reconnects, as EventSource does by itself, with the id of its last event."""


class Streams:
    """The listeners of this process, by prediction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: defaultdict[UUID, set[asyncio.Queue[str]]] = defaultdict(set)
        self._states: dict[UUID, str] = {}
        self._closed = False

    async def poll(self) -> None:
        """Send changed states to their listeners; one query, and none where nobody listens."""
        if not self._listeners:
            return
        async with self._database.sessions() as session:
            query = select(PredictionRow.prediction_id, PredictionRow.state)
            found = (await session.execute(query.where(PredictionRow.prediction_id.in_(list(self._listeners))))).all()
        for prediction_id, state in found:
            if self._states.get(prediction_id) != state:
                self._states[prediction_id] = state
                for queue in self._listeners.get(prediction_id, ()):
                    queue.put_nowait(state)

    def close(self) -> None:
        self._closed = True
        for queues in self._listeners.values():
            for queue in queues:
                queue.put_nowait("")

    async def states(self, prediction_id: UUID, last: str | None) -> AsyncIterator[ServerSentEventMessage]:
        """Yield each new state of a prediction, up to a final one; ``last`` is the one that the client has."""
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._listeners[prediction_id].add(queue)
        self._states.pop(prediction_id, None)
        loop = asyncio.get_running_loop()
        until = loop.time() + MAX_STREAM_SECONDS
        try:
            yield ServerSentEventMessage(comment="listening", retry=1000)
            while not self._closed and loop.time() < until:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        state = await queue.get()
                except TimeoutError:
                    yield ServerSentEventMessage(comment="heartbeat")
                    continue
                if state and state != last:
                    last = state
                    data = msgspec.json.encode({"id": str(prediction_id), "state": state}).decode()
                    yield ServerSentEventMessage(event=state, id=state, data=data)
                if state in ENDED:
                    return
        finally:
            self._listeners[prediction_id].discard(queue)
            if not self._listeners[prediction_id]:
                del self._listeners[prediction_id]
                self._states.pop(prediction_id, None)
