"""Every consumer judges a message alike, whether it takes messages one by one or in batches."""

import json
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from interlock_contracts.event import STRUCTURED, Envelope, Event
from interlock_contracts.training import RetrainRequested
from interlock_messaging import topology
from interlock_messaging.batch_consumer import BatchSubscription, _Consumer
from interlock_messaging.delivery import decode_event
from interlock_messaging.malformed import reason_of

RUNS = settings(max_examples=200)
HEADERS = {"ce-id": "1", "ce-source": "/x", "ce-type": RetrainRequested.type}
DATA = json.dumps({"model": "m", "reason": "NaN"}).encode()
MARK = b"\xef\xbb\xbf"


async def never(*_: Any) -> NoReturn:
    raise AssertionError("nothing is handled here")


class Bus:
    """Trusts every publisher."""

    delivery = SimpleNamespace(check_publisher=lambda *_: None)


CONSUMER = _Consumer(BatchSubscription(topology.queue("lab", RetrainRequested), never), Bus())  # type: ignore[arg-type]


def in_a_batch(message: Any) -> Event | None:
    try:
        found: Event = CONSUMER._parsed(message).event
    except ValueError:
        return None
    return found


async def alone(message: Any) -> Event | None:
    try:
        return await decode_event(message)
    except ValueError:
        return None


bodies = st.sampled_from(
    [
        DATA,
        json.dumps(
            {"specversion": "1.0", "id": "1", "source": "/x", "type": "retrain.requested", "data": {"model": "m"}}
        ).encode(),
    ]
)


@RUNS
@example(DATA, MARK, b"", "Application/JSON")
@example(DATA, b"", b"", "APPLICATION/CLOUDEVENTS+JSON")
@given(
    bodies,
    st.sampled_from([b"", MARK, MARK * 2, b" ", b"\xff\xfe"]),
    st.sampled_from([b"", b" ", b"\0", b"NaN", b"}", MARK]),
    st.sampled_from(
        [None, "application/json", "Application/JSON; charset=utf-8", STRUCTURED, STRUCTURED.upper(), "text/plain"]
    ),
)
async def test_one_by_one_and_in_batches(body: bytes, before: bytes, after: bytes, content_type: str | None) -> None:
    """The batch consumer has a faster reader, which must not be another."""
    message = SimpleNamespace(body=before + body + after, headers=HEADERS, content_type=content_type)

    assert in_a_batch(message) == await alone(message)


@pytest.mark.parametrize(
    "data",
    [
        b'{"model": "m", "more": NaN}',
        b'{"model": "m", "more": -Infinity}',
        '{"model": "m"}'.encode("utf-16"),
        b'{"model": "m", "model": "m"}',
        b'{"model": "m", "more": {"a": 1, "a": 1}}',
    ],
)
async def test_what_is_no_json_is_refused_by_both(data: bytes) -> None:
    """NaN is no JSON, JSON is UTF-8, and of a repeated key it is unknown which value counts."""
    message = SimpleNamespace(body=data, headers=HEADERS, content_type=None)

    assert in_a_batch(message) is None
    assert await alone(message) is None


def test_a_compressed_body_is_reported_as_one() -> None:
    """Whoever compresses what they publish reads why it is dead."""
    with pytest.raises(ValueError, match="not JSON") as refused:
        Envelope.parse(HEADERS, b"\x1f\x8b\x08", None)

    assert "its content encoding is 'gzip'" in reason_of(refused.value, "gzip")
    assert "encoding is" not in reason_of(refused.value, None)
