"""Events that decode, but that no handler can ever store: dead letters at once, never a retry or a stalled queue."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from faststream.rabbit import RabbitQueue
from interlock_contracts.event import Envelope
from interlock_contracts.training import RetrainRequested
from interlock_messaging.spans import handling
from interlock_messaging.transient import is_unstorable
from sqlalchemy.exc import DBAPIError, OperationalError


class RefusalError(Exception):
    """A driver's error with a SQLSTATE."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "poison"),
    [
        (DBAPIError("insert", {}, RefusalError("22000")), True),
        (DBAPIError("insert", {}, RefusalError("22021")), True),
        (DBAPIError("insert", {}, RefusalError("22P05")), True),
        (DBAPIError("insert", {}, RefusalError("23505")), False),
        (OperationalError("insert", {}, RefusalError("57P03")), False),
        (ValueError("22021"), False),
    ],
)
def test_what_no_column_takes_is_poison(error: Exception, poison: bool) -> None:
    """A number beyond the column, a NUL in a text, half a character: the same today and tomorrow."""
    assert is_unstorable(error) is poison


@pytest.mark.parametrize("value", [1, None, b"\xff", ["00-1-1-01"], {}, "no traceparent", "00-\ud800"])
def test_a_trace_header_of_any_type_is_no_crash(value: Any) -> None:
    """AMQP headers have types, and whoever may publish chooses them; a span must not fail before the handler."""
    envelope = Envelope.of(RetrainRequested(model="flights"), source="tests", cause="x", now=datetime.now(UTC))
    message = SimpleNamespace(headers={"traceparent": value, "tracestate": value}, body=b"")
    with handling(message, envelope, RabbitQueue("registry.x"), attempt=1):
        pass
