"""Whatever bytes and headers come over the bus, decoding them gives an event or a ValueError: never anything else."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from interlock_contracts.catalog import BY_TYPE
from interlock_contracts.event import STRUCTURED, Event
from interlock_messaging.delivery import attempts, decode_event

RUNS = settings(max_examples=300)
"""The same cases in every run: a failure is a bug that can be looked at, not the luck of the day."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
bodies = st.binary() | json_values.map(lambda value: json.dumps(value).encode())
header_values = st.text() | st.binary() | st.integers() | st.none() | st.booleans() | st.lists(st.text(), max_size=2)
names = st.sampled_from(["id", "source", "type", "specversion", "time", "subject", "traceparent", "causationid"])
headers = st.dictionaries(
    st.tuples(st.sampled_from(["cloudEvents_", "cloudEvents:", "ce-"]), names).map("".join) | st.text(max_size=12),
    header_values,
    max_size=9,
)
content_types = st.none() | st.sampled_from(["application/json", STRUCTURED]) | st.text(max_size=20)


async def decoded(body: bytes, headers: dict[str, Any], content_type: str | None) -> Event | None:
    """Return the event, or None for what is refused as it should be."""
    message: Any = SimpleNamespace(body=body, headers=headers, content_type=content_type)
    try:
        return await decode_event(message)
    except ValueError as error:
        str(error).encode()  # a dead letter carries the reason in a header
        return None


@RUNS
@example(b"[" * 100_000, {}, None)
@example(b'{"a":' * 100_000, {}, STRUCTURED)
@example(b"9" * 5000, {}, None)
@example(b'{"\\ud800": 1}', {}, STRUCTURED)
@given(bodies, headers, content_types)
async def test_any_bytes_are_an_event_or_refused(body: bytes, headers: dict[str, Any], content_type: str) -> None:
    """Nesting, numbers of thousands of digits, halves of characters, headers of any type."""
    await decoded(body, headers, content_type)


@RUNS
@given(st.sampled_from(sorted(BY_TYPE)), st.dictionaries(st.text(max_size=10), json_values, max_size=6), st.data())
async def test_any_data_of_a_known_type_is_an_event_or_refused(
    event_type: str, given_data: dict[str, Any], data: st.DataObject
) -> None:
    """Data under the type's own field names, so that every field meets every kind of value; what passes goes on."""
    fields = sorted(BY_TYPE[event_type].event.model_fields)
    body = given_data | {name: data.draw(json_values, label=name) for name in fields}
    about = {"cloudEvents_id": "1", "cloudEvents_source": "/fuzz", "cloudEvents_type": event_type}
    event = await decoded(json.dumps(body).encode(), about, "application/json")
    if event is not None:
        assert type(event).model_validate_json(event.body()) is not None


@RUNS
@given(st.text(max_size=300))
async def test_an_id_that_no_database_keeps_is_refused(event_id: str) -> None:
    """The id is the inbox's key: control characters would fail there, once for each retry."""
    about = {"cloudEvents_id": event_id, "cloudEvents_source": "/fuzz", "cloudEvents_type": "rollback.requested"}
    event = await decoded(b'{"model": "flights"}', about, None)
    if any(character < " " for character in event_id) or not 0 < len(event_id) <= 200:
        assert event is None


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity"])
async def test_what_is_no_json_number_is_refused(constant: bytes) -> None:
    """Python reads them; Postgres and every other language would not."""
    about = {"cloudEvents_id": "1", "cloudEvents_source": "/x", "cloudEvents_type": "rollback.requested"}
    assert await decoded(b'{"model": "flights", "more": %b}' % constant, about, None) is None


@RUNS
@given(header_values)
def test_a_forged_count_of_attempts_is_none(value: Any) -> None:
    """The count travels in the message, so anybody may write anything there; less than nothing would retry for ever."""
    assert attempts({"x-attempt": value}) >= 0
