"""The envelope: deterministic ids, three spellings, two content modes."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_contracts.event import STRUCTURED, UNTRACED, Envelope, event_id, run_id, trace_id_of
from interlock_contracts.training import RetrainRequested

NOW = datetime(2026, 11, 21, tzinfo=UTC)
EVENT = RetrainRequested(model="student-math")


def envelope(cause: str = "cause-1", n: int = 0) -> Envelope:
    return Envelope.of(EVENT, source="gateway", cause=cause, now=NOW, n=n)


def test_a_repeat_has_the_same_id_and_anything_else_another() -> None:
    """The inbox recognises a repeat by nothing but its id."""
    assert envelope().id == envelope().id
    assert len({envelope().id, envelope(n=1).id, envelope("cause-2").id}) == 3


def test_ids_are_fixed_forever() -> None:
    """A changed namespace or separator would make every stored repeat look new."""
    assert str(event_id("cause", "model.promoted", "model/m")) == "d60be11c-e82d-590b-85d6-87c73f8ca97e"
    assert str(run_id("cause", "m")) == "5ce40554-2666-5901-987e-223b16b45e17"


TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("traceparent", "trace_id"),
    [
        (f"00-{TRACE}-b7ad6b7169203331-01", TRACE),
        (UNTRACED, None),
        (f"00-{0:032x}-b7ad6b7169203331-01", None),
        (None, None),
        ("", None),
        ("no traceparent", None),
        (f"00-{TRACE.upper()}-b7ad6b7169203331-01", None),
        (f"00-{TRACE}-b7ad6b7169203331-01\n", None),
        (f"00-{TRACE}", None),
        ("00-\ud800", None),
        (b"\xff", None),
        ({"00": TRACE}, None),
    ],
)
def test_a_trace_id_is_taken_only_from_a_traceparent(traceparent: object, trace_id: str | None) -> None:
    """AMQP headers have types, which any publisher chooses; what is no traceparent has no trace."""
    assert trace_id_of(traceparent) == trace_id


@pytest.mark.parametrize("spelling", ["cloudEvents_", "cloudEvents:", "ce-"])
def test_every_spelling_of_the_headers_is_understood(spelling: str) -> None:
    """Clients of other bindings write the attributes' prefix differently."""
    headers = {name.replace("cloudEvents_", spelling): value for name, value in envelope().headers().items()}

    parsed, data = Envelope.parse(headers, EVENT.body(), "application/json")

    assert parsed == envelope()
    assert data == {"model": "student-math"}


def test_structured_mode_is_understood() -> None:
    """A client may put attributes and data into one JSON object."""
    message = {**json.loads(envelope().model_dump_json(exclude_none=True)), "data": {"model": "student-math"}}

    parsed, data = Envelope.parse({}, json.dumps(message).encode(), "application/cloudevents+json; charset=utf-8")

    assert (parsed.id, data) == (envelope().id, {"model": "student-math"})


def test_two_teams_may_give_an_event_the_same_id() -> None:
    """Source and id are the identity, so what follows from the two differs; no pair is spelled like another."""
    said = [
        Envelope(id=name, source=source, type=EVENT.type)
        for source, name in [
            ("/cron/a", "1"),
            ("/cron/b", "1"),
            ("/cron/a#1", "1"),
            ("/cron/a", "1#1"),
            ("/cron/a%231", "1"),
        ]
    ]
    ids = {event_id(each.identity, "training.started", "run/1") for each in said}

    assert said[0].identity == "/cron/a#1"
    assert len({each.identity for each in said}) == len(ids) == len(said)


def test_an_event_of_ours_is_known_by_its_id_as_before() -> None:
    """Or every repeat from before an upgrade would look new."""
    assert envelope().identity == envelope().id


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("Application/JSON; charset=UTF-8", b'{"model": "student-math"}'),
        (None, b'\xef\xbb\xbf{"model": "student-math"}'),
    ],
)
def test_case_of_a_media_type_and_a_byte_order_mark_are_ignored(content_type: str | None, body: bytes) -> None:
    """Libraries and editors write them as they like."""
    assert Envelope.parse(envelope().headers(), body, content_type) == (envelope(), {"model": "student-math"})


@pytest.mark.parametrize("body", ['{"model": "m"}'.encode("utf-16"), b'{"model": NaN}', b"\xef\xbb\xbf"])
def test_what_is_no_json_in_utf_8_is_refused_with_the_reason(body: bytes) -> None:
    """Python reads UTF-16 and NaN; RFC 8259 and the other readers do not."""
    with pytest.raises(ValueError, match="the body is not JSON"):
        Envelope.parse(envelope().headers(), body, None)


def structured(**data: Any) -> bytes:
    return json.dumps({**json.loads(envelope().model_dump_json(exclude_none=True)), **data}).encode()


def test_structured_mode_with_data_as_bytes() -> None:
    """As libraries write data that they were given as bytes."""
    body = structured(data_base64="eyJtb2RlbCI6InN0dWRlbnQtbWF0aCJ9")

    assert Envelope.parse({}, body, "Application/CloudEvents+JSON")[1] == {"model": "student-math"}


@pytest.mark.parametrize(
    "data", [{"data_base64": "e"}, {"data_base64": 1}, {"data_base64": "YQ=="}, {"data_base64": "", "data": {}}]
)
def test_data_as_bytes_that_are_none_is_named(data: dict[str, Any]) -> None:
    """What cannot be decoded, is no JSON, or is there twice."""
    with pytest.raises(ValueError, match="data_base64"):
        Envelope.parse({}, structured(**data), "application/cloudevents+json")


TWICE = b'{"model": "a", "model": "student-math"}'


@pytest.mark.parametrize(
    ("content_type", "body", "told"),
    [
        (None, TWICE, "^'model' is there twice in one object;"),
        (STRUCTURED, structured(data={"model": "m"}).replace(b'{"model": "m"}', TWICE), r"\(at data\.model\)"),
        (STRUCTURED, structured(data={}).replace(b'"data"', b'"id": "2", "data"'), "^'id' is there twice"),
        (STRUCTURED, structured(data_base64=b64encode(TWICE).decode()), "^data_base64: 'model' is there twice"),
    ],
    ids=["binary", "data", "attribute", "data_base64"],
)
def test_a_key_that_is_twice_is_named(content_type: str | None, body: bytes, told: str) -> None:
    """The last value is not taken in silence, in neither content mode."""
    with pytest.raises(ValueError, match=told):
        Envelope.parse(envelope().headers(), body, content_type)


@pytest.mark.parametrize("missing", ["id", "source", "type"])
def test_a_missing_attribute_is_named(missing: str) -> None:
    """Whoever published it must be able to mend it."""
    headers = {name: value for name, value in envelope().headers().items() if name != f"cloudEvents_{missing}"}

    with pytest.raises(ValueError, match=missing):
        Envelope.parse(headers, b"{}", None)


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        ("2026-11-29T12:00:00+02:00", datetime(2026, 11, 29, 10, tzinfo=UTC)),
        ("2026-11-29T12:00:00", datetime(2026, 11, 29, 12, tzinfo=UTC)),
        (1732860000, datetime(2024, 11, 29, 6, tzinfo=UTC)),
    ],
)
def test_the_time_of_an_event_is_in_utc(time: Any, utc: datetime) -> None:
    """Whatever zone this machine is in."""
    assert Envelope.of_headers(envelope().headers() | {"cloudEvents_time": time}).time == utc


def test_a_time_beyond_the_calendar_is_refused_by_every_reader_alike() -> None:
    """Not by the one that happens to calculate with it, after six attempts."""
    with pytest.raises(ValueError, match="beyond the calendar"):
        Envelope.of_headers(envelope().headers() | {"cloudEvents_time": "0001-01-01T00:00:00+14:00"})


@given(body=st.binary(max_size=50), headers=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4))
def test_rubbish_is_a_value_error_and_nothing_else(body: bytes, headers: dict[str, str]) -> None:
    """The middleware dead-letters a ValueError; anything else would be retried in vain."""
    with pytest.raises(ValueError, match=r".*"):
        Envelope.parse(headers, body, None)
