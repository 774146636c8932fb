"""Whatever message dies, its letter can be kept, listed and looked at."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from interlock_contracts.event import STRUCTURED
from interlock_messaging.dead_letters import content_of, view_of
from interlock_messaging.dead_letters.letters import values_of
from interlock_messaging.dead_letters.table import DeadLetterRow
from interlock_messaging.delivery import ATTEMPT, DIED, ERROR
from litestar.serialization import encode_json

RUNS = settings(max_examples=200)
NAMES = [ATTEMPT, DIED, ERROR, "x-death", "traceparent", "ce-id", "ce-source", "ce-type", "ce-time", "cloudEvents_id"]

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20) | st.binary(max_size=20)
values = scalars | st.floats() | st.integers(0, 2**31).map(lambda second: datetime.fromtimestamp(second, UTC))
nested = st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3)
headers = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=10), values | nested, max_size=6)
bodies = st.binary(max_size=60) | st.recursive(scalars.filter(lambda each: not isinstance(each, bytes)), st.lists).map(
    lambda value: json.dumps(value).encode()
)
texts = st.none() | st.text(max_size=20)


@RUNS
@example(b'{"a": 1e400, "b": %s, "c": "\\ud800", "d": NaN}' % (b"9" * 4000), {}, None, None)
@example(b"[" * 100_000, {"x-death": [{"queue": "q", "time": "never"}]}, STRUCTURED, "1")
@given(bodies, headers, texts, texts)
def test_every_dead_letter_can_be_listed_and_looked_at(
    body: bytes, headers: dict[str, Any], content_type: str | None, message_id: str | None
) -> None:
    """It may be anything that anybody has sent."""
    message: Any = SimpleNamespace(
        body=body,
        headers=headers,
        content_type=content_type,
        message_id=message_id,
        user_id=None,
        content_encoding=message_id,
    )
    kept = values_of("train_dispatch.retrain.requested", message)
    letter = DeadLetterRow(**kept)
    letter.size = len(body)  # what the database counts

    assert encode_json(view_of(letter).model_dump(mode="json"))
    assert encode_json(content_of(letter).model_dump(mode="json"))
    assert all("\0" not in value for value in kept.values() if isinstance(value, str))


def test_a_body_with_a_key_twice_is_shown_as_it_is() -> None:
    """Read as JSON it would show one of the two, which is what it died of."""
    body = b'{"model": "a", "model": "b"}'
    message: Any = SimpleNamespace(
        body=body, headers={}, content_type=None, message_id="1", user_id=None, content_encoding=None
    )
    letter = DeadLetterRow(**values_of("train_dispatch.retrain.requested", message))
    letter.size = len(body)

    assert content_of(letter).text == body.decode()
