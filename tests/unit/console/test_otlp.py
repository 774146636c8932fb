"""OTLP as exporters write it: protobuf and JSON, whole, too large, and wrong."""

import json
from base64 import b64decode
from typing import Any

import msgspec
import pytest
from google.protobuf.json_format import MessageToDict, Parse
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_console import otlp
from interlock_console.otlp import JSON, PROTOBUF
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from tests.unit.console.otlp import OTHER, START, TRACE, made, sent, whole


def request(**span: Any) -> ExportTraceServiceRequest:
    """Return a request with one good span, changed as told."""
    asked = ExportTraceServiceRequest.FromString(sent([made("check", "e127af99e3b3e074")]))
    one = asked.resource_spans[0].scope_spans[0].spans[0]
    for name, value in span.items():
        setattr(one, name, value)
    return asked


def as_json(body: bytes) -> dict[str, Any]:
    """Return a request as OTLP writes it in JSON: ids in hex."""

    def hexed(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: hexed(each, key) for key, each in value.items()}
        if isinstance(value, list):
            return [hexed(each) for each in value]
        return b64decode(value).hex() if name in {"traceId", "spanId", "parentSpanId"} else value

    document = MessageToDict(ExportTraceServiceRequest.FromString(body), use_integers_for_enums=True)
    return hexed(document)  # type: ignore[no-any-return]


@pytest.mark.parametrize("media_type", [PROTOBUF, JSON])
def test_a_span_comes_in_whole(media_type: str) -> None:
    """Whatever an exporter says of a span is known after, the same from protobuf and from JSON."""
    body = sent([whole()])
    (span,) = otlp.parse_export(
        body if media_type == PROTOBUF else json.dumps(as_json(body)).encode(), media_type
    ).spans

    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE, "e127af99e3b3e074", "909541b92cf05311")
    assert (span.name, span.kind, span.start_ns, span.duration_ns) == ("predict", 2, START, 1_500_000)
    assert (span.status, span.status_message) == (2, "too late")
    assert span.attributes == {"rows": 3, "share": 1.0, "warm": True, "model": "flights", "names": ["a", "b"]}
    assert isinstance(span.attributes["share"], float)
    assert [tuple(each) for each in span.events] == [("slow", START + 1_000_000, {"why": "cold"})]
    assert [tuple(each) for each in span.links] == [(OTHER, "00f067aa0ba902b7", {"interlock.link": "model.promotion"})]
    assert span.origin.service == "interlock-gateway"
    assert span.origin.resource == {"service.name": "interlock-gateway", "service.version": "0.1.0"}
    assert span.origin.scope == {"name": "interlock_gateway", "version": "0.1.0"}


def test_what_goes_out_is_what_came_in() -> None:
    """The download is OTLP: taken in again, it gives the same spans, and protobuf's own reader knows every name."""
    spans = otlp.parse_export(sent([whole(), made("check", "00000000000000aa")]), PROTOBUF).spans
    document = otlp.to_json(spans)

    assert otlp.parse_export(msgspec.json.encode(document), JSON).spans == spans
    for each in document["resourceSpans"]:
        Parse(json.dumps(each).replace(TRACE, "").replace(OTHER, ""), ResourceSpans())


def of_old(body: bytes) -> bytes:
    """Return a request of protobuf in the form of 2022: the spans stand in field 1000, two bytes of key."""
    asked = ExportTraceServiceRequest.FromString(body)
    (spans,) = asked.resource_spans[0].scope_spans
    del asked.resource_spans[0].scope_spans[:]
    inner = spans.SerializeToString()
    resource = asked.resource_spans[0].SerializeToString() + b"\xc2\x3e" + varint(len(inner)) + inner
    return b"\x0a" + varint(len(resource)) + resource


def varint(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def test_spans_in_the_form_of_2022_are_not_lost() -> None:
    """From protobuf and from JSON: their names have changed, and nothing else."""
    body = sent([whole()])
    new = json.dumps(as_json(body))
    old = new.replace('"scopeSpans"', '"instrumentationLibrarySpans"').replace('"scope"', '"instrumentationLibrary"')
    expected = otlp.parse_export(body, PROTOBUF).spans

    assert "scope" not in old
    assert otlp.parse_export(old.encode(), JSON).spans == expected
    assert otlp.parse_export(of_old(body), PROTOBUF).spans == expected


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"trace_id": b"\1" * 15}, "trace_id is to be 16 bytes"),
        ({"trace_id": bytes(16)}, "trace_id is to be 16 bytes"),
        ({"span_id": bytes(8)}, "span_id is to be 8 bytes"),
        ({"span_id": b""}, "span_id is to be 8 bytes"),
        ({"parent_span_id": b"\1"}, "parent_span_id is to be 8 bytes"),
        ({"start_time_unix_nano": 0}, "start_time_unix_nano is to be after 1970"),
        ({"end_time_unix_nano": 2**64 - 1}, "no time after 2262"),
    ],
)
def test_a_span_that_names_nothing_is_refused_and_its_neighbours_are_kept(fault: dict[str, Any], reason: str) -> None:
    """A partial success says how many and why, so that whoever sends them learns of it."""
    body = request(**fault).SerializeToString() + sent([made("good", "00000000000000aa")])
    got = otlp.parse_export(body, PROTOBUF)

    assert [span.name for span in got.spans] == ["good"]
    assert got.rejected == 1
    assert reason in got.reason


def test_what_is_too_long_is_cut_and_counted() -> None:
    """One span with everything too large costs no more than its share, and says what is missing."""
    attributes: dict[str, Any] = {f"key-{i}": "x" for i in range(200)} | {"key-0": "y" * 10_000}
    got = otlp.parse_export(sent([made("n" * 9_000, "00000000000000aa", attributes=attributes)]), PROTOBUF)
    (span,) = got.spans

    assert len(span.name) == otlp.MAX_TEXT_CHARS
    assert span.name.endswith("…")
    assert len(span.attributes) == otlp.MAX_PER_SPAN
    assert len(span.attributes["key-0"]) == otlp.MAX_TEXT_CHARS
    assert span.dropped == (200 - otlp.MAX_PER_SPAN, 0, 0)


def test_more_spans_than_one_request_may_bring_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones are kept."""
    monkeypatch.setattr(otlp, "MAX_SPANS", 2)
    got = otlp.parse_export(sent([made("check", f"{i:016x}") for i in range(1, 6)]), PROTOBUF)

    assert (len(got.spans), got.rejected) == (2, 3)
    assert "at most 2 spans" in got.reason


def test_texts_are_as_postgres_takes_them() -> None:
    """No NUL comes through, nor a number that JSON lacks."""
    attributes = {"a\0b": "c\0d", "nan": float("nan"), "all": float("inf")}
    (span,) = otlp.parse_export(sent([made("na\0me", "00000000000000aa", attributes=attributes)]), PROTOBUF).spans

    assert "\0" not in json.dumps(span.attributes) + span.name
    assert (span.attributes["nan"], span.attributes["all"]) == ("nan", "inf")


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b'{"resourceSpans": 1}',
        b'{"resourceMetrics": []}',
        b'{"spans": []}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "no hex"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": {"a": 1}}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "soon"}]}]}]}',
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"resourceSpans": "\\ud800"}',
    ],
)
def test_json_that_is_no_request_is_refused(body: bytes) -> None:
    """With one error, whatever is wrong."""
    with pytest.raises(ValueError, match="ExportTraceServiceRequest"):
        otlp.parse_export(body, JSON)


def test_fields_of_later_versions_are_passed_over() -> None:
    """A newer exporter may say more than we know."""
    document = as_json(sent([whole()]))
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["mood"] = {"traceId": "ff"}

    assert otlp.parse_export(json.dumps(document).encode(), JSON).rejected == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "resourceSpans",
                    "resource",
                    "scopeSpans",
                    "scope",
                    "spans",
                    "traceId",
                    "spanId",
                    "attributes",
                    "key",
                    "value",
                    "stringValue",
                    "intValue",
                    "arrayValue",
                    "kvlistValue",
                    "values",
                    "kind",
                    "status",
                    "code",
                    "links",
                    "events",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def flipped(at: int, to: int) -> bytes:
    """Return a good request with one byte changed."""
    body = bytearray(sent([whole()]))
    body[at % len(body)] = to
    return bytes(body)


@settings(max_examples=150)
@given(body=st.binary(max_size=400) | st.builds(flipped, st.integers(0, 400), st.integers(0, 255)))
def test_no_protobuf_breaks_the_receiver(body: bytes) -> None:
    """Any bytes are spans or a ValueError; and what was taken can be written and shown."""
    _taken(body, PROTOBUF)


@settings(max_examples=150)
@given(document=st.dictionaries(st.just("resourceSpans"), st.lists(json_values, max_size=2), min_size=1))
def test_no_json_breaks_the_receiver(document: dict[str, Any]) -> None:
    """Any JSON is spans or a ValueError; and what was taken can be written and shown."""
    _taken(json.dumps(document).encode(), JSON)


def _taken(body: bytes, media_type: str) -> None:
    try:
        got = otlp.parse_export(body, media_type)
    except ValueError:
        return
    json.loads(msgspec.json.encode(otlp.to_json(got.spans)))
