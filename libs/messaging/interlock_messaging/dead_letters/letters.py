"""A dead letter's message as a row, and a row as what people see. A letter may be anything; nothing here raises."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid5

import pamqp.encode
from aio_pika.abc import AbstractIncomingMessage
from interlock_contracts.dead_letters import DeadLetterContent, DeadLetterView
from interlock_contracts.event import NAMESPACE, Envelope, trace_id_of
from interlock_contracts.json_keys import keys_in, refuse_repeated_keys

from interlock_messaging.dead_letters.table import DeadLetterRow
from interlock_messaging.delivery import DIED, ERROR, attempts, tried_before
from interlock_messaging.malformed import UNREADABLE, sendable
from interlock_messaging.publisher_identity import published_by
from interlock_messaging.topology import DELIVERY_LIMIT, readers

SHOWN_BYTES = 64 * 1024
"""Longest body that is shown as a whole."""

_BY_THE_BROKER = {
    "delivery_limit": f"given up by RabbitMQ after {DELIVERY_LIMIT} deliveries, each without an acknowledgement",
    "rejected": "rejected by its consumer without a reason",
    "expired": "waited longer than its queue allows",
    "maxlen": "its queue was full",
}


def values_of(queue: str, message: AbstractIncomingMessage) -> dict[str, Any]:
    """Return the columns of the letter that ``message``, of the dead letters of ``queue``, is.

    The same message makes the same id, so that one that is delivered again is not there twice.
    """
    wire = _wire(message.headers)
    envelope = _envelope(message)
    content = sha256(message.body + wire).hexdigest()
    return {
        "id": uuid5(NAMESPACE, f"dead letter|{queue}|{content}"),
        "queue": queue,
        "reason": _text(str(_reason(queue, message.headers))),
        "attempts": min(attempts(message.headers) + tried_before(message.headers), 2**31 - 1),
        "died_at": _died_at(queue, message.headers),
        "event_id": _text(envelope.get("id")),
        "event_type": _text(envelope.get("type")),
        "subject": _text(envelope.get("subject")),
        "trace_id": trace_id_of(message.headers.get("traceparent")) or trace_id_of(envelope.get("traceparent")),
        "speaker": _text(published_by(message.user_id, message.headers, *readers(queue))),
        "message_id": _text(message.message_id),
        "content_type": _text(message.content_type),
        "content_encoding": _text(message.content_encoding),
        "headers": wire,
        "body": message.body,
    }


def view_of(letter: DeadLetterRow) -> DeadLetterView:
    """Return what a list shows."""
    return DeadLetterView.model_validate(_seen(letter))


def content_of(letter: DeadLetterRow) -> DeadLetterContent:
    """Return all there is to see of a letter."""
    content: dict[str, Any] = {name: getattr(letter, name) for name in ("content_type", "content_encoding")}
    content["headers"] = _plain(letter.decoded_headers)
    try:
        if len(letter.body) > SHOWN_BYTES:
            raise ValueError  # noqa: TRY301 - too long to be shown as what it is
        data = json.loads(letter.body, parse_constant=str)
        refuse_repeated_keys(letter.body, keys_in(data))  # or one of the two would not be shown
        content["data"] = _plain(data)
    except (ValueError, RecursionError):
        content["text"] = letter.body[:SHOWN_BYTES].decode(errors="backslashreplace")
    return DeadLetterContent.model_validate(_seen(letter) | content)


def _seen(letter: DeadLetterRow) -> dict[str, Any]:
    names = ("id", "queue", "reason", "attempts", "died_at", "event_id", "event_type", "subject", "trace_id")
    age = max((datetime.now(UTC) - letter.died_at).total_seconds(), 0.0)
    return {**{name: getattr(letter, name) for name in names}, "bytes": letter.size, "age_seconds": age}


def _wire(headers: Mapping[str, Any]) -> bytes:
    try:
        return bytes(pamqp.encode.field_table(sendable(dict(headers))))
    except (TypeError, ValueError, RecursionError) as error:
        return bytes(pamqp.encode.field_table({UNREADABLE: str(error)[:500]}))


def _envelope(message: AbstractIncomingMessage) -> dict[str, Any]:
    try:
        return Envelope.parse(message.headers, message.body, message.content_type)[0].model_dump()
    except ValueError:
        spelled = ((name.removeprefix("cloudEvents_"), value) for name, value in message.headers.items())
        return {name: value for name, value in spelled if isinstance(value, str)}


def _death(queue: str, headers: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the broker's record (``x-death``) of the last time that it dead-lettered the message from ``queue``."""
    deaths = headers.get("x-death")
    for each in deaths if isinstance(deaths, list) else ():
        if isinstance(each, dict) and each.get("queue") == queue:
            return each
    return {}


def _reason(queue: str, headers: Mapping[str, Any]) -> Any:
    if DIED in headers:
        return headers.get(ERROR, "no reason was given")
    death = str(_death(queue, headers).get("reason"))
    before = f"; before that: {headers[ERROR]}" if ERROR in headers else ""
    return _BY_THE_BROKER.get(death, f"no reason was given ({death})") + before


def _died_at(queue: str, headers: Mapping[str, Any]) -> datetime:
    now = datetime.now(UTC)
    time = headers[DIED] if DIED in headers else _death(queue, headers).get("time")
    try:
        at = datetime.fromisoformat(time) if isinstance(time, str) else time
        return min(at.astimezone(UTC), now) if isinstance(at, datetime) else now
    except (ValueError, OverflowError):
        return now


def _text(value: Any) -> str | None:
    """Return a value as text that a database takes: without NUL, and without halves of characters."""
    if value is None:
        return None
    return str(value).replace("\0", "\\0").encode(errors="backslashreplace").decode()[:2000]


def _plain(value: Any) -> Any:
    """Return a value that JSON can represent."""
    if isinstance(value, dict):
        return {_text(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bytes | bytearray):
        return value.decode(errors="backslashreplace")
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and abs(value) < float("inf")):
        return value
    return str(value).encode(errors="backslashreplace").decode()
