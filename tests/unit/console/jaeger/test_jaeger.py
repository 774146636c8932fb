"""Jaeger's forms, written down as Jaeger 2 and Grafana's data source read them, and what their clients may ask."""

from datetime import UTC, datetime
from typing import Any

import pytest
from interlock_console import otlp
from interlock_console.jaeger.params import (
    LOOKBACK_NS,
    MAX_TRACES,
    MalformedError,
    parse_search_v1,
    parse_search_v3,
    parse_trace_id,
)
from interlock_console.jaeger.responses import envelope_v1, kind_name, trace_summary, trace_v1
from interlock_console.spans import Span
from interlock_console.spans.views import trace_view
from litestar.datastructures import MultiDict

from tests.unit.console.otlp import OTHER, START, TRACE, made, sent, whole

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 10**9


def kept(*spans: Any) -> list[Span]:
    """Return spans of the SDK as they are kept."""
    return otlp.parse_export(sent(spans), otlp.PROTOBUF).spans


def test_a_trace_of_version_one_is_what_grafana_reads() -> None:
    """Microseconds, typed tags, links as FOLLOWS_FROM, the process apart, and an error as tag."""
    assert envelope_v1([trace_v1(TRACE, kept(whole()))]) == {
        "data": [
            {
                "traceID": TRACE,
                "spans": [
                    {
                        "traceID": TRACE,
                        "spanID": "e127af99e3b3e074",
                        "operationName": "predict",
                        "references": [
                            {"refType": "CHILD_OF", "traceID": TRACE, "spanID": "909541b92cf05311"},
                            {"refType": "FOLLOWS_FROM", "traceID": OTHER, "spanID": "00f067aa0ba902b7"},
                        ],
                        "startTime": 1_706_678_909_209_712,
                        "duration": 1500,
                        "tags": [
                            {"key": "otel.scope.name", "type": "string", "value": "interlock_gateway"},
                            {"key": "otel.scope.version", "type": "string", "value": "0.1.0"},
                            {"key": "rows", "type": "int64", "value": 3},
                            {"key": "share", "type": "float64", "value": 1.0},
                            {"key": "warm", "type": "bool", "value": True},
                            {"key": "model", "type": "string", "value": "flights"},
                            {"key": "names", "type": "string", "value": '["a", "b"]'},
                            {"key": "span.kind", "type": "string", "value": "server"},
                            {"key": "otel.status_code", "type": "string", "value": "ERROR"},
                            {"key": "error", "type": "bool", "value": True},
                            {"key": "otel.status_description", "type": "string", "value": "too late"},
                        ],
                        "logs": [
                            {
                                "timestamp": 1_706_678_909_210_712,
                                "fields": [
                                    {"key": "event", "type": "string", "value": "slow"},
                                    {"key": "why", "type": "string", "value": "cold"},
                                ],
                            }
                        ],
                        "processID": "p1",
                        "warnings": ["its parent 909541b92cf05311 has not ended, or was lost"],
                    }
                ],
                "processes": {
                    "p1": {
                        "serviceName": "interlock-gateway",
                        "tags": [{"key": "service.version", "type": "string", "value": "0.1.0"}],
                    }
                },
                "warnings": None,
            }
        ],
        "total": 0,
        "limit": 0,
        "offset": 0,
        "errors": None,
    }


def test_a_trace_of_version_three_is_otlp() -> None:
    """Ids in hex, times as texts, numbers for kind and status; what is empty is left out."""
    attributes = {"http.response.status_code": 200}
    (span,) = otlp.to_json(kept(made("GET", "00000000000000aa", attributes=attributes)))["resourceSpans"]

    assert span == {
        "resource": {
            "attributes": [
                {"key": "service.name", "value": {"stringValue": "interlock-gateway"}},
                {"key": "service.version", "value": {"stringValue": "0.1.0"}},
            ]
        },
        "scopeSpans": [
            {
                "scope": {"name": "interlock_gateway", "version": "0.1.0"},
                "spans": [
                    {
                        "traceId": TRACE,
                        "spanId": "00000000000000aa",
                        "name": "GET",
                        "kind": 1,
                        "startTimeUnixNano": str(START),
                        "endTimeUnixNano": str(START + 1_500_000),
                        "attributes": [{"key": "http.response.status_code", "value": {"intValue": "200"}}],
                        "status": {},
                    }
                ],
            }
        ],
    }


def test_a_summary_counts_what_a_list_shows() -> None:
    """Spans, errors and orphans, altogether and by service; the root is the span without a parent."""
    root = made("retrain", "00000000000000aa", took=5_000_000)
    spans = kept(root, made("process", "00000000000000ab", "00000000000000aa", service="interlock-ingest"), whole())

    assert trace_summary(TRACE, spans) == {
        "traceId": TRACE,
        "rootServiceName": "interlock-gateway",
        "rootOperationName": "retrain",
        "minStartTimeUnixNano": str(START),
        "maxEndTimeUnixNano": str(START + 5_000_000),
        "spanCount": 3,
        "errorSpanCount": 1,
        "orphanSpanCount": 1,
        "services": [
            {"name": "interlock-gateway", "spanCount": 2, "errorSpanCount": 1},
            {"name": "interlock-ingest", "spanCount": 1, "errorSpanCount": 0},
        ],
    }


def test_what_has_not_ended_is_named() -> None:
    """A parent that is not here is told as open, once, with its children and since when they run."""
    late, early = (made("trial", f"{i:016x}", "00000000000000ff", start=START + i) for i in (9, 1))
    view = trace_view(TRACE, kept(made("root", "00000000000000aa"), late, early))

    assert view["orphans"] == ["0000000000000009", "0000000000000001"]
    assert view["open"] == [
        {"span_id": "00000000000000ff", "since_ns": START + 1, "children": ["0000000000000009", "0000000000000001"]}
    ]


@pytest.mark.parametrize(
    ("name", "attributes", "label"),
    [
        ("trial", {"interlock.trial.number": 0}, "trial 0"),
        ("trial", {}, "trial"),
        ("candidate", {"interlock.candidate": "xgboost"}, "candidate xgboost"),
        ("search", {"interlock.candidate": "linear"}, "search linear"),
        ("fit", {"interlock.candidate": "linear"}, "fit"),
    ],
)
def test_which_trial_or_candidate_a_span_is_stands_in_its_label(name: str, attributes: Any, label: str) -> None:
    """Pages show it instead of forty equal names; the name that a search takes stays."""
    (span,) = trace_view(TRACE, kept(made(name, "00000000000000aa", attributes=attributes)))["spans"]
    assert (span["name"], span["label"]) == (name, label)


def test_a_search_of_version_three_is_read_in_both_spellings() -> None:
    """Camel case, as Jaeger's page asks, and snake case, as Grafana does, with a plus that it does not encode."""
    camel = {
        "query.serviceName": "interlock-gateway",
        "query.operationName": "predict",
        "query.startTimeMin": "2026-01-31T11:00:00.000000001Z",
        "query.startTimeMax": "2026-01-31T12:00:00Z",
        "query.durationMin": "1.5ms",
        "query.durationMax": "1m2s",
        "query.searchDepth": "7",
        "query.attributes": '{"error": "true"}',
    }
    snake = {
        "query.service_name": "interlock-gateway",
        "query.operation_name": "predict",
        "query.start_time_min": "2026-01-31T12:00:00.000000001 01:00",
        "query.start_time_max": "2026-01-31T12:00:00Z",
        "query.duration_min": "1.5ms",
        "query.duration_max": "1m2s",
        "query.num_traces": "7",
        "query.attributes": '{"error": "true"}',
    }
    wanted = parse_search_v3(MultiDict(camel))

    assert wanted == parse_search_v3(MultiDict(snake))
    assert wanted == (
        NOW_NS - 3600 * 10**9 + 1,
        NOW_NS,
        "interlock-gateway",
        "predict",
        1_500_000,
        62 * 10**9,
        {"error": "true"},
        7,
        None,
    )


def test_a_search_of_version_one_is_read() -> None:
    """Microseconds, tags in both spellings, and two days back where nothing is given."""
    params = MultiDict([("service", "a"), ("tags", '{"k": "v"}'), ("tag", "error:true"), ("limit", "5000")])
    wanted = parse_search_v1(params, now=NOW)

    assert (wanted.since_ns, wanted.until_ns) == (NOW_NS - LOOKBACK_NS, NOW_NS)
    assert (wanted.attributes, wanted.limit) == ({"k": "v", "error": "true"}, MAX_TRACES)
    assert parse_search_v1(MultiDict({"service": "a", "start": "17", "end": "18"}), now=NOW)[:2] == (17_000, 18_000)


TIMES = {"query.startTimeMin": "2026-01-31T11:00:00Z", "query.startTimeMax": "2026-01-31T12:00:00Z"}


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({}, "query.startTimeMin and query.startTimeMax are required"),
        (TIMES | {"query.startTimeMin": "yesterday"}, "query.startTimeMin: a time such as"),
        (TIMES | {"query.durationMin": "1 s"}, "query.durationMin: a duration such as"),
        (TIMES | {"query.duration_max": "-1s"}, "query.duration_max: a duration such as"),
        (TIMES | {"query.searchDepth": "0"}, "query.searchDepth is to be a number of traces"),
        (TIMES | {"query.searchDepth": "1e9"}, "query.searchDepth is to be a number of traces"),
        (TIMES | {"query.attributes": "a=b"}, "query.attributes: JSON such as"),
        (TIMES | {"query.attributes": '{"a": 1}'}, "query.attributes: JSON such as"),
        (TIMES | {"query.attributes": "[" * 100_000}, "query.attributes: JSON such as"),
    ],
)
def test_a_search_that_cannot_be_read_says_which_parameter(params: dict[str, str], named: str) -> None:
    """By the name that the client used."""
    with pytest.raises(MalformedError, match=named):
        parse_search_v3(MultiDict(params))


def test_a_trace_id_may_lack_its_zeros() -> None:
    """Jaeger's clients leave them out; what is no trace id is refused."""
    assert parse_trace_id("AB") == "ab".rjust(32, "0")
    for wrong in ("", "0", "g", "a" * 33):
        with pytest.raises(MalformedError, match="32 hexadecimal digits"):
            parse_trace_id(wrong)


def test_a_kind_that_is_not_told_is_internal() -> None:
    """As Jaeger lists it."""
    assert [kind_name(kind) for kind in range(6)] == [
        "internal",
        "internal",
        "server",
        "client",
        "producer",
        "consumer",
    ]
