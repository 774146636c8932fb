"""What no repeat can make right: a dead letter at once, with the reason, while everything else goes on."""

from collections.abc import AsyncIterator
from typing import Any

import aio_pika
import pamqp.frame
import pytest
from interlock_contracts.event import MAX_BYTES
from interlock_messaging.delivery import ATTEMPT, ERROR

from tests.integration.messaging.test_delivery import Lab
from tests.support.waiting import until

pytestmark = pytest.mark.integration

SANE = {"ce-id": "1", "ce-source": "/x", "ce-type": "retrain.requested"}
NOT_UTF8 = "to be replaced"
GOOD = b'{"model": "m"}'
JSON = "application/json"
NESTED = b'{"model": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
HUGE = b'{"model": "m", "n": ' + b"9" * 5000 + b"}"

POISON: list[Any] = [
    pytest.param(b"\xff\x00 not json", SANE, JSON, "not JSON", id="not JSON"),
    pytest.param(GOOD, SANE, "text/csv", "content type is 'text/csv'", id="wrong content type"),
    pytest.param(GOOD, {}, JSON, "id", id="no attributes"),
    pytest.param(GOOD, {"ce-id": "1", "ce-type": "retrain.requested"}, JSON, "source", id="an attribute missing"),
    pytest.param(GOOD, {**SANE, "ce-specversion": "2.0"}, JSON, "specversion", id="another CloudEvents"),
    pytest.param(GOOD, {**SANE, "ce-type": "no.such.event"}, JSON, "unknown event type", id="unknown type"),
    pytest.param(b'{"modle": "m"}', SANE, JSON, "model", id="a field misspelt"),
    pytest.param(b'{"model": "a", "model": "b"}', SANE, JSON, "'model' is there twice", id="a key twice"),
    pytest.param(b"[1]", SANE, JSON, "valid dictionary", id="not an object"),
    pytest.param(b"[1]", {}, "application/cloudevents+json", "JSON object", id="structured, but no object"),
    pytest.param(b"{}" + b" " * 10_000_000, SANE, JSON, f"at most {MAX_BYTES}", id="10 MB"),
    pytest.param(NESTED, SANE, JSON, "not JSON", id="nested without end"),
    pytest.param(HUGE, SANE, JSON, "not JSON", id="a number of 5000 digits"),
    pytest.param(b'{"model": NaN}', SANE, JSON, "NaN", id="NaN"),
    pytest.param(GOOD, {**SANE, "ce-type": "model.retired"}, JSON, "", id="an event of another type"),
    pytest.param(b'{"model": "\\ud800"}', SANE, JSON, "", id="half a character"),
]


@pytest.fixture(scope="module")
async def lab(servers: dict[str, str]) -> AsyncIterator[Lab]:
    """Return one service that lives through all of it."""
    async with Lab(servers).running() as running:
        yield running


@pytest.mark.parametrize(("body", "headers", "content_type", "told"), POISON)
async def test_a_poison_message_is_a_dead_letter_at_once_with_the_reason(
    lab: Lab, body: bytes, headers: dict[str, Any], content_type: str, told: str
) -> None:
    """It stops nothing, is tried once, is kept as it came, and names the fault."""
    await _publish(lab, aio_pika.Message(body, headers=dict(headers), content_type=content_type))

    letter = await lab.dead()
    assert (letter.body, letter.content_type, letter.headers[ATTEMPT]) == (body, content_type, 1)
    assert told in str(letter.headers[ERROR])
    assert str(letter.headers[ERROR]).startswith("not a valid event: ")


@pytest.mark.parametrize(
    ("headers", "told"),
    [({**SANE, NOT_UTF8: "x"}, "headers cannot be read"), ({**SANE, "ce-id": NOT_UTF8}, "id: ")],
    ids=["a name", "a value"],
)
async def test_unreadable_headers_do_not_end_the_connection(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, headers: dict[str, Any], told: str
) -> None:
    """The client library would close the connection, again and again, and nothing would be consumed any more."""
    with monkeypatch.context() as patched:
        patched.setattr(pamqp.frame, "marshal", _with_a_name_that_is_not_utf8)
        await _publish(lab, aio_pika.Message(GOOD, headers=dict(headers), content_type=JSON))

    letter = await lab.dead()
    assert letter.body == GOOD
    assert told in str(letter.headers[ERROR])
    said = await lab.enqueue("still there")
    await until(lambda: said.id in lab.seen)


def _with_a_name_that_is_not_utf8(frame: Any, channel: int, marshal: Any = pamqp.frame.marshal) -> bytes:
    marshalled: bytes = marshal(frame, channel)
    return marshalled.replace(NOT_UTF8.encode(), b"\xff" * len(NOT_UTF8))


async def _publish(lab: Lab, message: aio_pika.Message) -> None:
    async with await aio_pika.connect(lab.url) as connection:
        channel = await connection.channel()
        await channel.default_exchange.publish(message, routing_key=f"{lab.name}.retrain.requested")
