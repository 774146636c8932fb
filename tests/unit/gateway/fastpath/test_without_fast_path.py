"""Delete `fastpath/` and everything still works, slower: the same answers, counts, spans and prediction log."""

import asyncio
import gzip
import importlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pytest
from interlock_contracts.event import Event
from interlock_contracts.predictions import PredictionLogged
from interlock_gateway import app as gateway_app
from interlock_gateway.observe import trace_sampling
from interlock_gateway.observe.prediction_log import PredictionLog
from interlock_modeling.engines import LinearEngine
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.support.api_keys import ring_key
from tests.support.dependencies import dependency
from tests.support.gateway_app import Door, client, opened
from tests.support.spans import RecordSpans
from tests.support.stored_models import REGRESSION, ROW, put, put_classifier, put_model
from tests.unit.gateway.fastpath.test_protocol import scraped

CALLER, LOOKER, GREEDY = "ilk_of-an-app", "ilk_of-somebody-who-looks", "ilk_of-somebody-greedy"
KEYS = [ring_key(CALLER, "app", "predict"), ring_key(LOOKER, "looker", "read"), ring_key(GREEDY, "greedy", "predict")]
BURST = 100
SAMPLED = {"traceparent": f"00-{'c' * 32}-{'b' * 16}-01"}
PROMOTED = f"00-{'a' * 32}-{'d' * 16}-01"
FLIGHTS, SALES, BOUNDLESS = (f"/models/{name}/predict" for name in ("flights", "sales", "boundless"))
COUNTED = tuple(
    f"interlock_predict_{each}" for each in ("requests_total", "rows_total", "seconds_count", "version_requests_total")
)


def rows(*given: Any) -> bytes:
    return json.dumps({"rows": given}).encode()


BATTERY: list[tuple[str, bytes, dict[str, str]]] = [
    (FLIGHTS, rows(ROW, ROW | {"size": 7.5}), {}),
    (FLIGHTS, rows(ROW), SAMPLED),
    (SALES, rows(ROW, {"size": 1, "color": None}), {}),
    (FLIGHTS, rows(*[ROW] * 100), {}),
    (FLIGHTS, rows(*[ROW] * 2000), SAMPLED),
    (FLIGHTS, rows(*[ROW] * 10_001), {}),
    (FLIGHTS, rows(ROW | {"color": "violet"}), SAMPLED),
    (FLIGHTS, rows({"size": "big"}, {"size": 1000.0}, None), SAMPLED),
    (FLIGHTS, rows(), {}),
    (FLIGHTS, b"{}", {}),
    (FLIGHTS, b'{"rows": [', {}),
    (FLIGHTS, b"\xff\xfe", {}),
    (FLIGHTS, b" " * (10 * 1024 * 1024 + 1), {}),
    (FLIGHTS, gzip.compress(rows(ROW)), {"content-encoding": "gzip"}),
    (BOUNDLESS, rows({"size": 1.0}), {}),
    (BOUNDLESS, rows({"size": 1e308}), SAMPLED),
    ("/models/nobody-s/predict", rows(ROW), SAMPLED),
    ("/models/a/b/predict", rows(ROW), {}),
    (FLIGHTS + "?explain=yes", rows(ROW), {}),
    (FLIGHTS, rows(ROW), {"authorization": "Bearer ilk_wrong"}),
    (FLIGHTS, rows(ROW), {"authorization": f"Bearer {LOOKER}"} | SAMPLED),
]


class Published:
    """What the prediction log has published."""

    def __init__(self) -> None:
        self.events: list[PredictionLogged] = []

    async def publish(self, event: Event, *, cause: str, n: int = 0) -> None:
        del cause, n
        assert isinstance(event, PredictionLogged)
        self.events.append(event)


def plain(answer: httpx.Response) -> tuple[Any, ...]:
    """Return all of an answer that is promised: not its id, its time, and how long exactly to wait."""
    headers = dict(answer.headers) | {"date": "", "retry-after": str("retry-after" in answer.headers)}
    body = answer.json()
    return answer.status_code, sorted(headers.items()), body | {"id": ""} if "id" in body else body


async def on_the_wire(door: Door, request: bytes, answers: int) -> list[Any]:
    """Send bytes over one connection, and return the bodies of so many answers."""
    url = httpx.URL(str(door.http.base_url))
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(request)
    found = []
    for _ in range(answers):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        found.append((head.split(b"\r\n")[0], json.loads(await reader.readexactly(length)) | {"id": ""}))
    writer.close()
    await writer.wait_closed()
    return found


def request(body: bytes, *, version: str = "1.1") -> bytes:
    head = f"POST {FLIGHTS} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {CALLER}\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def observed(door: Door, spans: InMemorySpanExporter) -> dict[str, Any]:
    """Return what the battery is answered, and what is counted, traced and logged of it."""
    log, published = dependency(door.app, PredictionLog), Published()
    log._bus = published
    features = [each.model_copy(update={"min": None, "max": None}) for each in REGRESSION.features]
    boundless = REGRESSION.model_copy(update={"features": features})
    times_ten = LinearEngine(np.array([[10.0, 0.0, 0.0]]), np.array([0.0]), "identity")
    door.behind.keys = KEYS
    door.behind.promote(put_model(door.store, 1), seq=1, trace=PROMOTED)
    door.behind.promote(put_classifier(door.store, model="sales"), seq=2)
    door.behind.promote(put(door.store, boundless, times_ten, model="boundless"), seq=3)
    for name in ("flights", "sales", "boundless"):
        await door.serves(1, model=name)
    url = str(door.http.base_url)
    async with client(url, key=CALLER) as http, client(url, key=GREEDY) as greedy, client(url, key=None) as stranger:
        answers = [plain(await http.post(path, content=body, headers=headers)) for path, body, headers in BATTERY]
        answers.append(plain(await stranger.post(FLIGHTS, content=rows(ROW))))
        answers.append(plain(await http.post(FLIGHTS, content=in_parts(rows(ROW)))))
        together = await asyncio.gather(*(http.post(FLIGHTS, content=rows({"size": n})) for n in range(20)))
        answers += [plain(each) for each in together]
        many = [await greedy.post(BOUNDLESS, content=rows({"size": 1e308})) for _ in range(BURST + 2)]
    wire = await on_the_wire(door, request(rows(ROW)) * 2 + request(rows(None)) + request(rows(ROW)), 4)
    wire += await on_the_wire(door, request(rows(ROW), version="1.0"), 1)
    await log.flush()
    await log.flush()
    counted = {key: value for key, value in (await scraped(door)).items() if key[0] in COUNTED}
    return {
        "answers": answers,
        "over the rate": [each.status_code for each in many],
        "refusal": plain(many[-1]),
        "wire": wire,
        "counted": counted,
        "spans": sorted(
            (each.name, str(each.status.status_code), str(sorted((each.attributes or {}).items())), len(each.links))
            for each in spans.get_finished_spans()
        ),
        "logged": sorted(
            (each.model, each.version, str(row.values), str(row.answer), str(row.probabilities))
            for each in published.events
            for row in each.rows
        ),
        "in the log": log.view,
    }


async def in_parts(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 7):
        yield body[start : start + 7]


def deleted(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the gateway's wiring as it is imported where the folder is gone."""
    for name in ("app", "protocol"):
        monkeypatch.delitem(sys.modules, f"interlock_gateway.fastpath.{name}")
    monkeypatch.setitem(sys.modules, "interlock_gateway.fastpath", None)
    monkeypatch.delitem(sys.modules, "interlock_gateway.app")
    return importlib.import_module("interlock_gateway.app")


async def test_without_the_fast_path_everything_is_the_same(
    tmp_path: Path, record_spans: RecordSpans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Switched off and deleted: status, headers and body of every answer; counts, spans, log; nothing counted twice."""
    spans = record_spans(trace_sampling)
    found = {}
    limits: dict[str, Any] = {"rate_limit": 0.000001, "rate_burst": BURST}
    exact: dict[str, Any] = {"predict_sample_ratio": 0.0, "prediction_log_rows_per_second": 1e6}
    for way in ("fast", "switched off", "deleted"):
        spans.clear()
        module = deleted(monkeypatch) if way == "deleted" else gateway_app
        settings = limits | exact | {"fast_path": way != "switched off"}
        async with opened(tmp_path / way.replace(" ", "-"), module=module, **settings) as door:
            within = getattr(module.served(door.app), "app", None)
            assert (type(getattr(within, "app", None)).__name__ == "FastPathApp") is (way == "fast")
            found[way] = await observed(door, spans)

    fast = found["fast"]
    for way in ("switched off", "deleted"):
        for what, expected in fast.items():
            assert found[way][what] == expected, (way, what)
    assert {status for status, *_ in fast["answers"]} == {200, 400, 401, 403, 404, 413, 422}
    assert fast["over the rate"] == [422] * BURST + [429] * 2
    assert len(fast["spans"]) == sum("traceparent" in headers for _, _, headers in BATTERY)
    assert fast["in the log"].answered == fast["in the log"].logged == len(fast["logged"]) > 2000
