"""How many spans a second the console takes in, and how soon it shows them again, over two hundred thousand of them.

Run by ``make bench``. The bodies are what the SDK's exporter sends; Postgres is a real one, on the same machine.
"""

import asyncio
import gzip
import os
import statistics
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import pytest
from interlock_console.otlp import PROTOBUF, parse_export
from opentelemetry.trace import Link, SpanKind
from sqlalchemy import text

from tests.benchmarks.results import record
from tests.support.span_console import Console, console_in
from tests.unit.console.otlp import OTHER, context, made, sent

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

BATCH, TRACES, BATCHES, SENDERS = 512, 32, 200, 4
SPANS = BATCH // TRACES
BAR = 10_000
"""Spans a second on one core."""

NAMES = ("predict", "process interlock.events:model.promoted", "send interlock.events:model.serving", "swap")
SERVICES = ("interlock-gateway", "interlock-registry", "interlock-ingest", "interlock-train_dispatch")


class Batches:
    """Requests of 512 spans in 32 traces, each trace new, four services, as many attributes as ours have."""

    def __init__(self) -> None:
        self._ids = [f"{n + 1:032x}" for n in range(TRACES)]
        spans = [self._span(trace_id, n) for trace_id in self._ids for n in range(SPANS)]
        self._body = sent(sorted(spans, key=lambda span: str(span.resource.attributes["service.name"])))
        self.last = ""

    def next(self) -> bytes:
        """Return the next request."""
        body = self._body
        for trace_id in self._ids:
            new = os.urandom(16)
            body = body.replace(bytes.fromhex(trace_id), new)
            self.last = new.hex()
        return body

    @staticmethod
    def _span(trace_id: str, n: int) -> Any:
        now = int(datetime.now(UTC).timestamp() * 1e9)
        attributes: dict[str, Any] = {
            "interlock.model.name": "flights",
            "interlock.model.version": 17,
            "messaging.system": "rabbitmq",
            "messaging.operation.name": "process",
            "messaging.destination.name": "interlock.events:model.promoted",
            "cloudevents.event_id": "6c3f2a52-4f0a-5a35-9d3e-1f6f3a0c7b11",
            "http.response.status_code": 200 if n else 503,
            "interlock.load_seconds": 0.25,
        }
        return made(
            NAMES[n % len(NAMES)],
            f"{n + 1:016x}",
            f"{n:016x}" if n else None,
            trace_id=trace_id,
            service=SERVICES[n % len(SERVICES)],
            start=now + n * 1000,
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            links=[Link(context("00000000000000aa", OTHER))] if n % 4 == 0 else [],
        )


@pytest.fixture
async def console(servers: dict[str, str]) -> AsyncIterator[Console]:
    async with console_in(servers) as made_one:
        yield made_one


async def _flood(console: Console, batches: Batches, count: int, packed: dict[str, str]) -> dict[str, float]:
    """Return spans a second: as it was, and by seconds of the processor, the console's own and Postgres' with it."""
    bodies = [batches.next() for _ in range(count)]
    if packed:
        bodies = [gzip.compress(body, 1) for body in bodies]
    waiting = iter(bodies)

    async def sender() -> None:
        for body in waiting:
            headers = {"Content-Type": PROTOBUF, **packed}
            answer = await console.http.post("/v1/traces", content=body, headers=headers)
            assert answer.status_code == 200, answer.text

    wall, own, before = perf_counter(), process_time(), await _postgres_seconds(console)
    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    wall, own, after = perf_counter() - wall, process_time() - own, await _postgres_seconds(console)
    behind = sum(seconds - before.get(pid, 0) for pid, seconds in after.items())
    whole = BATCH * count
    return {"a second": whole / wall, "on one core": whole / own, "on one core with Postgres": whole / (own + behind)}


async def _postgres_seconds(console: Console) -> dict[int, float]:
    """Return the seconds of the processor that each of our connections' backends has had."""
    async with console.database.engine.connect() as connection:
        mine = "SELECT pid FROM pg_stat_activity WHERE usename = current_user AND backend_type = 'client backend'"
        pids = list(await connection.scalars(text(mine)))
    return {pid: _seconds_of(Path(f"/proc/{pid}/stat")) for pid in pids}


async def _stored(console: Console) -> tuple[int, float]:
    """Return how many spans are stored, and the bytes of disk for each."""
    sizes = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent::regclass::text LIKE 'span%'"
    async with console.database.engine.connect() as connection:
        whole, count = await connection.scalar(text(sizes)), await connection.scalar(text("SELECT count(*) FROM span"))
    return int(count or 0), float(whole or 0) / int(count or 1)


def _seconds_of(stat: Path) -> float:
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _median_ms(console: Console, path: str, **params: str) -> float:
    taken = []
    for _ in range(5):
        start = perf_counter()
        await console.get(path, **params)
        taken.append(perf_counter() - start)
    return statistics.median(taken) * 1000


async def measured(console: Console, count: int = BATCHES) -> dict[str, Any]:
    """Return spans a second, milliseconds of queries and bytes of a span, over ``count`` batches of each packing."""
    console.limit.limit = 16
    batches = Batches()
    assert len(parse_export(batches.next(), PROTOBUF).spans) == BATCH
    packings: dict[str, dict[str, str]] = {"plain": {}, "gzip": {"Content-Encoding": "gzip"}}
    rates = {name: await _flood(console, batches, count, packed) for name, packed in packings.items()}
    now = datetime.now(UTC)
    span_of_time = {
        "query.startTimeMin": (now - timedelta(hours=1)).isoformat(),
        "query.startTimeMax": (now + timedelta(hours=1)).isoformat(),
    }
    ask = partial(_median_ms, console)
    found = {**span_of_time, "query.serviceName": SERVICES[0]}
    queries = {
        "a trace": await ask(f"/view/traces/{batches.last}"),
        "20 traces of a service": await ask("/api/v3/traces", **found),
        "20 traces by name": await ask("/api/v3/traces", **found, **{"query.operationName": "predict"}),
        "20 traces by attribute": await ask(
            "/api/v3/traces", **found, **{"query.attributes": '{"http.response.status_code": "503"}'}
        ),
        "no trace by attribute": await ask(
            "/api/v3/trace-summaries", **found, **{"query.attributes": '{"http.response.status_code": "418"}'}
        ),
        "20 summaries of all services": await ask("/api/v3/trace-summaries", **span_of_time),
        "operations of a service": await ask("/api/v3/operations", service=SERVICES[0]),
    }
    stored, size = await _stored(console)
    return {"spans": rates, "queries, ms": queries, "over": stored, "bytes of a span": size}


async def test_how_many_spans_a_second_and_how_soon_they_are_found(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    """More than ten thousand a second on one core, and any page's question in well under a second."""
    seen = await measured(console)
    rates, queries = seen["spans"], seen["queries, ms"]
    with capsys.disabled():
        print(f"\n{seen['bytes of a span']:.0f} bytes of disk for a span, indexes and links included")
        print(f"spans, {SENDERS} senders, {BATCH} in a batch, {BATCH * BATCHES} of each")
        for name, rate in rates.items():
            print(f"  {name:<32}" + "".join(f"{value:>9.0f} {what:<10}" for what, value in rate.items()))
        print(f"queries over {seen['over']} spans, ms")
        for name, ms in queries.items():
            print(f"  {name:<32}{ms:>9.1f}")
    record("console", seen)

    assert min(rate["on one core with Postgres"] for rate in rates.values()) > BAR
    assert max(queries.values()) < 2_000
