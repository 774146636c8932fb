"""Spans on their way through the console: over HTTP in, into a real Postgres, and out in every form."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from interlock_console.otlp import MAX_BODY_BYTES, parse_export
from interlock_console.otlp import PROTOBUF as MEDIA_TYPE
from interlock_console.spans import queries
from interlock_console.spans.writer import SpanWriter
from interlock_runtime.database import Database
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Link
from sqlalchemy import text
from uvicorn import Config, Server

from tests.support.api_keys import KEY
from tests.support.span_console import PROTOBUF, Console, console_in
from tests.support.waiting import until
from tests.unit.console.otlp import OTHER, START, TRACE, context, made, sent, whole

pytestmark = pytest.mark.integration


@pytest.fixture
async def console(servers: dict[str, str]) -> AsyncIterator[Console]:
    async with console_in(servers) as made_one:
        yield made_one


@pytest.mark.parametrize("signal", ["metrics", "logs"])
async def test_other_signals_are_answered_in_words(console: Console, signal: str) -> None:
    """In the encoding of the request, as exporters log what they are told."""
    packed = await console.http.post(f"/v1/{signal}", content=b"", headers=PROTOBUF)
    plain = await console.http.post(f"/v1/{signal}", json={})

    assert (packed.status_code, plain.status_code) == (404, 404)
    assert Status.FromString(packed.content).message == plain.json()["detail"]
    assert f"OTEL_{signal.upper()}_EXPORTER=none" in plain.json()["detail"]


async def test_a_span_is_shown_as_it_was_sent(console: Console) -> None:
    """Everything a span can have comes through Postgres unchanged, numbers and nanoseconds too."""
    answer = await console.send(whole())

    assert answer.status_code == 200
    assert not ExportTraceServiceResponse.FromString(answer.content).HasField("partial_success")
    assert console.written == [{TRACE}]
    view = await console.get(f"/view/traces/{TRACE}")
    assert view["orphans"] == ["e127af99e3b3e074"]
    assert view["open"] == [{"span_id": "909541b92cf05311", "since_ns": START, "children": ["e127af99e3b3e074"]}]
    assert view["spans"] == [
        {
            "span_id": "e127af99e3b3e074",
            "parent_id": "909541b92cf05311",
            "service": "interlock-gateway",
            "name": "predict",
            "label": "predict",
            "kind": "SERVER",
            "start_ns": START,
            "duration_ns": 1_500_000,
            "status": "ERROR",
            "status_message": "too late",
            "attributes": {"rows": 3, "share": 1.0, "warm": True, "model": "flights", "names": ["a", "b"]},
            "resource": {"service.name": "interlock-gateway", "service.version": "0.1.0"},
            "events": [{"name": "slow", "time_ns": START + 1_000_000, "attributes": {"why": "cold"}}],
            "links": [
                {
                    "trace_id": OTHER,
                    "span_id": "00f067aa0ba902b7",
                    "attributes": {"interlock.link": "model.promotion"},
                }
            ],
            "linked_from": [],
        }
    ]


async def test_the_most_extreme_span_is_kept(console: Console) -> None:
    """Every number at its limit, every text with what Postgres does not take: rejected or kept, never an error."""
    extremes = {
        "least": -(2**63),
        "most": 2**63 - 1,
        "large": 1.7e308,
        "tiny": 5e-324,
        "not a number": float("nan"),
        "NUL \0 and ☃": "\0☃",
        "": "",
    }
    request = ExportTraceServiceRequest.FromString(sent([made("\0", "00000000000000aa", attributes=extremes)]))
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.kind, span.flags, span.dropped_links_count = -5, 2**32 - 1, 2**32 - 1  # type: ignore[assignment]
    span.start_time_unix_nano, span.end_time_unix_nano = 2**63 - 1, 1
    span.events.add(name="\0", time_unix_nano=2**64 - 1)
    span.status.message = "x" * 10_000
    body = request.SerializeToString()
    answer = await console.http.post("/v1/traces", content=body, headers=PROTOBUF)

    assert (answer.status_code, answer.content) == (200, b"")
    async with console.database.sessions() as session:
        assert await queries.spans_of_trace(session, TRACE) == parse_export(body, MEDIA_TYPE).spans


async def test_links_lead_both_ways(console: Console) -> None:
    """From a promotion one comes to the newest predictions that its model answered."""
    promotion = made("swap", "00000000000000aa", trace_id=OTHER)
    linking = [Link(context("00000000000000aa", OTHER))]
    await console.send(promotion)
    for n in range(1, queries.MAX_INCOMING_LINKS + 6):
        await console.send(made(f"predict {n}", f"{n:016x}", links=linking, start=START + n))

    (span,) = (await console.get(f"/view/traces/{OTHER}"))["spans"]
    names = [each["name"] for each in span["linked_from"]]
    assert names == [f"predict {n}" for n in range(queries.MAX_INCOMING_LINKS + 5, 5, -1)]
    assert span["linked_from"][0] == {
        "trace_id": TRACE,
        "span_id": f"{queries.MAX_INCOMING_LINKS + 5:016x}",
        "name": f"predict {queries.MAX_INCOMING_LINKS + 5}",
        "service": "interlock-gateway",
    }


async def test_a_batch_that_is_sent_twice_is_there_once(console: Console) -> None:
    """An exporter that got no answer sends again."""
    spans = [whole(), made("check", "00000000000000aa", links=[Link(context("e127af99e3b3e074"))])]
    await console.send(*spans)
    await console.send(*spans)
    view = await console.get(f"/view/traces/{TRACE}")

    assert [span["name"] for span in view["spans"]] == ["check", "predict"]
    assert [len(span["linked_from"]) for span in view["spans"]] == [0, 1]


async def test_all_services_may_begin_at_once(console: Console) -> None:
    """The first batches of a day make its partitions and origins, whatever order each has them in."""
    console.limit.limit = 8
    services = [f"interlock-{n}" for n in range(20)]
    spans = [made("check", f"{n + 1:016x}", service=service) for n, service in enumerate(services)]
    answers = await asyncio.gather(*(console.send(*spans[:: (-1) ** n]) for n in range(8)))

    assert [answer.status_code for answer in answers] == [200] * 8
    view = await console.get(f"/view/traces/{TRACE}")
    assert sorted(span["service"] for span in view["spans"]) == sorted(services)


async def test_an_exporter_of_the_sdk_is_understood(console: Console) -> None:
    """Over a socket, packed with gzip, by the exporter that every service has."""
    config = Config(console.app, host="127.0.0.1", port=0, log_level="warning")
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers, address = {"Authorization": f"Bearer {KEY}"}, f"http://127.0.0.1:{port}/v1/traces"
    exporter = OTLPSpanExporter(address, headers=headers, compression=Compression.Gzip)
    try:
        assert await asyncio.to_thread(exporter.export, [whole()]) == SpanExportResult.SUCCESS
    finally:
        await asyncio.to_thread(exporter.shutdown)
        server.should_exit = True
        await serving

    assert len((await console.get(f"/view/traces/{TRACE}"))["spans"]) == 1


async def test_the_download_can_be_sent_again(console: Console) -> None:
    """It is a file of OTLP's JSON, and another console shows the same trace from it."""
    await console.send(whole(), made("check", "00000000000000aa"))
    view = await console.get(f"/view/traces/{TRACE}")
    file = await console.http.get(f"/view/traces/{TRACE}/otlp")
    assert file.headers["content-disposition"] == f'attachment; filename="trace-{TRACE}.json"'
    async with console.database.engine.begin() as connection:
        await connection.execute(text("TRUNCATE span, span_link"))

    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    again = await console.http.post("/v1/traces", content=gzip.compress(file.content), headers=packed)
    assert again.json() == {}
    assert await console.get(f"/view/traces/{TRACE}") == view


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b"", 415),
        (PROTOBUF, b"no protobuf", 400),
        ({"Content-Type": "application/json"}, b"{", 400),
        (PROTOBUF | {"Content-Encoding": "br"}, b"", 415),
        (PROTOBUF | {"Content-Encoding": "gzip"}, b"no gzip", 400),
        (PROTOBUF | {"Content-Encoding": "gzip"}, gzip.compress(bytes(MAX_BODY_BYTES + 1)), 413),
        (PROTOBUF, bytes(MAX_BODY_BYTES + 1), 413),
    ],
)
async def test_what_is_no_batch_is_refused_in_the_senders_own_encoding(
    console: Console, headers: dict[str, str], body: bytes, status: int
) -> None:
    """Whoever sent protobuf gets the Status that OTLP has for it, anybody else problem details."""
    answer = await console.http.post("/v1/traces", content=body, headers=headers)

    assert answer.status_code == status
    if headers == PROTOBUF:
        assert Status.FromString(answer.content).message
    else:
        assert answer.headers["content-type"].split(";")[0] in {"application/problem+json", "application/x-protobuf"}


async def test_spans_that_cannot_be_kept_are_counted(console: Console) -> None:
    """The answer is a partial success, in the sender's encoding; the good ones are there."""
    bad = sent([made("bad", "00000000000000aa")]).replace(bytes.fromhex("00000000000000aa"), bytes(8))
    answer = await console.http.post("/v1/traces", content=bad + sent([whole()]), headers=PROTOBUF)
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success

    assert (answer.status_code, partial.rejected_spans) == (200, 1)
    assert "span_id is to be 8 bytes" in partial.error_message
    assert len((await console.get(f"/view/traces/{TRACE}"))["spans"]) == 1


async def test_under_pressure_a_sender_is_told_to_come_again(console: Console) -> None:
    """429 with Retry-After while as many batches as there is room for are in hand, and 200 after."""
    with console.limit.acquire(), console.limit.acquire():
        full = await console.send(whole())
    assert (full.status_code, full.headers["retry-after"]) == (429, "1")
    assert "written already" in Status.FromString(full.content).message

    assert (await console.send(whole())).status_code == 200


async def test_a_database_that_is_down_costs_no_span(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with Retry-After, which exporters take for "send it again"."""
    down = Database("postgresql://nobody@127.0.0.1:1/none", "none")
    monkeypatch.setattr(console.span_writer, "write", SpanWriter(down, days=1, on_written=console.written.append).write)
    answer = await console.send(whole())

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert console.written == []


async def test_each_day_goes_when_its_time_is_over(console: Console) -> None:
    """The partitions of a day are dropped together, with what was known of where its spans were made."""
    today = datetime.now(UTC).date()
    await console.send(whole())
    old = today - timedelta(days=8)
    await console.span_writer._make_partitions(old)
    async with console.database.engine.begin() as connection:
        for table in ("span_origin", "span", "span_link"):
            await connection.execute(text(f"CREATE TEMP TABLE old AS SELECT * FROM {table}"))
            await connection.execute(text("UPDATE old SET day = :old"), {"old": old})
            await connection.execute(text(f"INSERT INTO {table} SELECT * FROM old"))
            await connection.execute(text("DROP TABLE old"))
    assert await console.partitions() == {_name(old), _name(today)}
    await console.span_writer.drop_expired()

    assert await console.partitions() == {_name(today)}
    async with console.database.engine.connect() as connection:
        for table in ("span_origin", "span", "span_link"):
            assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 1


def _name(day: date) -> str:
    return f"span_{day:%Y%m%d}"


async def test_a_trace_that_nobody_knows_says_so(console: Console) -> None:
    """404 with Retry-After, as its spans may be on their way; 400 for what is no trace id."""
    answer = await console.http.get(f"/view/traces/{TRACE}")
    assert (answer.status_code, answer.headers["retry-after"]) == (404, "2")
    assert (await console.http.get("/view/traces/nonsense")).status_code == 400
    assert (await console.http.get(f"/view/traces/{TRACE.upper()}/otlp")).status_code == 400
