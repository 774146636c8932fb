"""Jaeger's clients ask the console: what they find, and the errors of wrong queries."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace import Status as Ended

from tests.support.span_console import Console, console_in
from tests.unit.console.otlp import made

pytestmark = pytest.mark.integration

NOW_NS = int(datetime.now(UTC).timestamp()) * 10**9


@pytest.fixture
async def console(servers: dict[str, str]) -> AsyncIterator[Console]:
    async with console_in(servers) as made_one:
        yield made_one


class Searched:
    """Three traces, a minute apart, the newest last."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.ids = [f"{n:032x}" for n in (0xA, 0xB, 0xC)]

    async def fill(self) -> None:
        for minutes, (n, trace_id) in zip((3, 2, 1), enumerate(self.ids), strict=True):
            start = NOW_NS - minutes * 60 * 10**9
            await self.console.send(
                made(
                    "retrain",
                    f"{n + 1:016x}",
                    trace_id=trace_id,
                    start=start,
                    took=(n + 1) * 10**9,
                    kind=SpanKind.SERVER,
                ),
                made(
                    "train",
                    f"{n + 17:016x}",
                    f"{n + 1:016x}",
                    trace_id=trace_id,
                    start=start + 1,
                    service="interlock-trainer",
                    attributes={"trial": n, "model": "flights"},
                    status=Ended(StatusCode.ERROR if n == 1 else StatusCode.UNSET),
                ),
            )

    async def ids_of(self, **query: str) -> list[str]:
        times = {"query.startTimeMin": _moment(3600), "query.startTimeMax": _moment(-60)}
        given = {f"query.{name}": value for name, value in query.items()}
        found = await self.console.get("/api/v3/trace-summaries", **(times | given))
        return [each["traceId"] for each in found["summaries"]]


def _moment(seconds_ago: int) -> str:
    return datetime.fromtimestamp(NOW_NS / 10**9 - seconds_ago, UTC).isoformat()


async def test_traces_are_found_by_what_their_spans_are(console: Console) -> None:
    """By service, name, duration, attribute of span or process, failure and time; the newest first."""
    searched = Searched(console)
    await searched.fill()
    a, b, c = searched.ids

    assert await searched.ids_of() == [c, b, a]
    assert await searched.ids_of(serviceName="interlock-trainer") == [c, b, a]
    assert await searched.ids_of(serviceName="interlock-trainer", operationName="retrain") == []
    assert await searched.ids_of(searchDepth="1") == [c]
    assert await searched.ids_of(operationName="retrain", durationMin="2s") == [c, b]
    assert await searched.ids_of(operationName="retrain", durationMin="2s", durationMax="2.5s") == [b]
    assert await searched.ids_of(attributes='{"trial": "0", "model": "flights"}') == [a]
    assert await searched.ids_of(attributes='{"service.name": "interlock-trainer", "trial": "2"}') == [c]
    assert await searched.ids_of(attributes='{"error": "true"}') == [b]
    assert await searched.ids_of(attributes='{"no such": "thing"}') == []
    assert await searched.ids_of(startTimeMax=_moment(90)) == [b, a]


async def test_the_page_of_traces_searches_alike_and_pages(console: Console) -> None:
    """A trace is on the page of its newest match alone, though older spans of it match, too."""
    searched = Searched(console)
    await searched.fill()
    a, b, c = searched.ids

    async def listed(**query: object) -> list[str]:
        return [each["trace_id"] for each in (await console.get("/view/traces", **query))["traces"]]

    assert await listed() == [c, b, a]
    assert await listed(service="interlock-trainer", attribute=["trial=0", "model=flights"]) == [a]
    assert await listed(name="retrain", min_duration="2s", max_duration="2500ms") == [b]
    assert await listed(errors=True) == [b]
    assert await listed(until=_moment(90), since=_moment(150)) == [b]
    first = await console.get("/view/traces", limit=2)
    assert [each["trace_id"] for each in first["traces"]] == [c, b]
    assert await listed(limit=2, before=first["before"]) == [a]
    line = first["traces"][1]
    assert {name: line[name] for name in ("root_service", "root_name", "spans", "errors", "orphans", "start_ns")} == {
        "root_service": "interlock-gateway",
        "root_name": "retrain",
        "spans": 2,
        "errors": 1,
        "orphans": 0,
        "start_ns": NOW_NS - 120 * 10**9,
    }
    for wrong in ({"attribute": "model"}, {"min_duration": "soon"}, {"before": "now"}, {"since": "2026-01-01T00:00"}):
        answer = await console.http.get("/view/traces", params=wrong)
        assert answer.status_code == 400, answer.text
        assert next(iter(wrong)) in answer.text


async def test_jaegers_clients_find_their_way(console: Console) -> None:
    """From services to their operations to traces, in version 3 and in version 1."""
    searched = Searched(console)
    await searched.fill()
    a, _, c = searched.ids

    assert await console.get("/api/v3/services") == {"services": ["interlock-gateway", "interlock-trainer"]}
    assert (await console.get("/api/services"))["data"] == ["interlock-gateway", "interlock-trainer"]
    retrain = [{"name": "retrain", "spanKind": "server"}]
    assert await console.get("/api/v3/operations", service="interlock-gateway") == {"operations": retrain}
    assert await console.get("/api/v3/operations", service="interlock-gateway", spanKind="client") == {"operations": []}
    assert (await console.get("/api/operations", service="interlock-gateway"))["data"] == retrain
    assert (await console.get("/api/services/interlock-trainer/operations"))["data"] == ["train"]

    (trace,) = (await console.get("/api/traces", service="interlock-gateway", limit=1))["data"]
    assert trace["traceID"] == c
    assert [span["operationName"] for span in trace["spans"]] == ["retrain", "train"]
    both = await console.get("/api/traces", traceID=[a.lstrip("0"), "dead"])
    assert [each["traceID"] for each in both["data"]] == [a]
    assert both["errors"] == [{"code": 404, "msg": "trace not found", "traceID": "dead".rjust(32, "0")}]
    assert (await console.get(f"/api/traces/{a.lstrip('0')}"))["data"][0]["traceID"] == a
    one = await console.get(f"/api/v3/traces/{a}")
    assert [each["resource"]["attributes"][0]["value"]["stringValue"] for each in one["result"]["resourceSpans"]] == [
        "interlock-gateway",
        "interlock-trainer",
    ]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v3/traces", 400),
        ("/api/v3/traces?query.startTimeMin=2026-01-01T00:00:00Z&query.startTimeMax=2026-01-01T00:00:00Z", 404),
        ("/api/v3/traces/xyz", 400),
        ("/api/v3/traces/dead", 404),
        ("/api/v3/operations", 400),
        ("/api/traces", 400),
        ("/api/traces?service=a&start=soon", 400),
        ("/api/traces/dead", 404),
    ],
)
async def test_jaegers_clients_learn_what_is_wrong(console: Console, path: str, status: int) -> None:
    """Problem details which also have what version 3 and version 1 look for."""
    answer = await console.http.get(path)

    assert answer.status_code == status
    told = answer.json()
    assert told["error"]["httpCode"] == told["errors"][0]["code"] == told["status"] == status
    assert told["error"]["message"] == told["errors"][0]["msg"] == told["detail"]
