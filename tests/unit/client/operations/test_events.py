"""Events: those that the console keeps, and its stream, resumed where it broke."""

import asyncio
from typing import Any

import httpx
import pytest
from interlock_client import AsyncClient, Client, UnavailableError
from interlock_client.operations.events import messages
from interlock_contracts.console import EventView

from tests.unit.cli.views import NOW, RUN
from tests.unit.client.conftest import CONSOLE, URL, Call, Pauses, Service


def event(number: int, kind: str = "model.promoted") -> EventView:
    return EventView(id=f"e{number}", type=kind, source="registry", subject="m", time=NOW, model="m", data={})


def message(number: int) -> bytes:
    made = event(number)
    return f"id: {number}\nevent: {made.type}\ndata: {made.model_dump_json()}\n\n".encode()


def test_stored_events_are_asked_of_the_console(service: Service, call: Call) -> None:
    """Oldest first, as they happened."""
    newest_first = [event(2).model_dump(mode="json"), event(1).model_dump(mode="json")]
    service.respond("GET /view/events", {"events": newest_first, "before": None})
    found = call("events", ["model.promoted", "model.serving"], model="m", run=RUN, limit=2)

    assert [each.id for each in found] == ["e1", "e2"]
    assert str(service.requests[0].url).startswith(f"{CONSOLE}/view/events")
    assert dict(service.requests[0].url.params) == {
        "type": "model.promoted,model.serving",
        "model": "m",
        "run": str(RUN),
        "limit": "2",
    }


def first_three(kind: str, service: Service, told: list[str]) -> list[str]:
    """Return the ids of the first three live events, as either client has them."""
    options: dict[str, Any] = {"model": "m", "notice": told.append}
    if kind == "Client":
        with Client(URL, "k", console_url=CONSOLE, transport=service.transport()) as client:
            live = client.live_events("model.promoted", **options)
            return [next(live).id for _ in range(3)]

    async def read() -> list[str]:
        transport = service.async_transport()
        async with AsyncClient(URL, "k", console_url=CONSOLE, transport=transport) as client:
            live = client.live_events("model.promoted", **options)
            return [(await anext(live)).id for _ in range(3)]

    with asyncio.Runner() as runner:
        return runner.run(read())


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_a_broken_stream_is_resumed_where_it_broke(service: Service, kind: str, pauses: Pauses) -> None:
    """By ``Last-Event-ID``; what was cut off in the middle comes again, whole."""
    service.respond("GET /view/live", b": hello\n\n" + message(1) + message(2)[:30])
    service.break_off("GET /view/live", httpx.ConnectError("refused"))
    dropped = b'event: dropped\ndata: {"events": 7}\n\n'
    service.respond("GET /view/live", dropped + message(2) + b"event: spans\ndata: {}\n\n" + message(3))
    told: list[str] = []

    assert first_three(kind, service, told) == ["e1", "e2", "e3"]
    assert told == ["the console is unreachable; reconnecting", "dropped: 7 ephemeral events"]
    assert [each.headers.get("last-event-id") for each in service.requests] == [None, "1", "1"]
    assert list(pauses) == [1, 1]


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_a_console_that_never_answers_is_an_error(service: Service, kind: str) -> None:
    """Waiting for what was never there helps nobody."""
    service.refuse("GET /view/live", 503, "Postgres is down")
    with pytest.raises(UnavailableError, match="Postgres is down"):
        first_three(kind, service, [])


def test_a_message_of_several_lines_is_one() -> None:
    """As the standard writes them: fields by name, one leading space, an empty line at the end."""
    lines = ["event: a", "data: 1", "data:2", "", "data: 3", "", "event: lost", ""]

    assert list(messages(lines)) == [("a", "1\n2", ""), ("message", "3", "")]
