"""Events: those that the console keeps, and its stream of new ones."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

import httpx
from interlock_contracts.catalog import BY_TYPE
from interlock_contracts.console import EventsView, EventView

from interlock_client.flows import Flow, Request, read, without_none
from interlock_client.views import Views

STREAM_TIMEOUT = httpx.Timeout(60, connect=5)
"""Read timeout of the stream, in seconds; the console sends heartbeats more often."""

RECONNECT_SECONDS = 1.0
"""Delay before reconnecting to a broken stream, in seconds."""


def events(
    types: str | Iterable[str] = (), *, model: str | None = None, run: UUID | str | None = None, limit: int = 100
) -> Flow[Views[EventView]]:
    """Return the newest stored events, the oldest of them first."""
    request = Request("GET", "/view/events", _filters(types, model, run, limit), repeatable=True, console=True)
    return Views((yield from read(EventsView, request)).events[::-1])


def _filters(
    types: str | Iterable[str], model: str | None, run: UUID | str | None, limit: int | None = None
) -> dict[str, Any]:
    named = types if isinstance(types, str) else ",".join(types)
    run = str(run) if run else None
    return without_none({"type": named or None, "model": model, "run": run, "limit": limit})


class EventStream:
    """What a client remembers of the console's stream, so that a broken one is resumed where it broke.

    ``notice`` is called when events were left out, or the connection is made anew.
    """

    def __init__(
        self,
        types: str | Iterable[str] = (),
        *,
        model: str | None = None,
        run: UUID | str | None = None,
        notice: Callable[[str], object] | None = None,
    ) -> None:
        self._params = _filters(types, model, run)
        self._notice = notice or (lambda _: None)
        self._last: str | None = None
        self._connected = False
        self._lines: list[str] = []

    def request(self) -> Request:
        """Return the request that opens the stream, or opens it again."""
        headers = {"Last-Event-ID": self._last} if self._last else {}
        return Request("GET", "/view/live", self._params, headers, timeout=STREAM_TIMEOUT, console=True)

    def opened(self) -> None:
        """Note that the console has answered, and that a message that was cut off will come again."""
        self._connected, self._lines = True, []

    def broke(self) -> bool:
        """Return whether to connect again: not where the console has never answered."""
        if self._connected:
            self._notice("the console is unreachable; reconnecting")
        return self._connected

    def feed(self, line: str) -> Iterator[EventView]:
        """Take a line and yield the event that it ends, if it ends one."""
        self._lines.append(line)
        if line:
            return
        for message in messages(self._lines):
            if message.id:
                self._last = message.id
            if message.name in BY_TYPE:
                yield EventView.model_validate_json(message.data)
            elif message.name == "dropped":
                self._notice(f"dropped: {json.loads(message.data)['events']} ephemeral events")
        self._lines = []


class Message(NamedTuple):
    """One server-sent event."""

    name: str
    data: str
    id: str


def messages(lines: Iterable[str]) -> Iterator[Message]:
    """Yield the messages of a stream of server-sent events, as the WHATWG's HTML standard writes them."""
    fields, data = dict[str, str](), list[str]()
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                yield Message(fields.get("event", "message"), "\n".join(data), fields.get("id", ""))
            fields, data = {}, []
        elif field == "data":
            data.append(value)
        else:
            fields[field] = value
