"""What one prediction costs inside a worker, stage by stage and with telemetry on and off: time of the processor.

`make bench` prints the table; over sockets, and beside other servers, it is `docs/results/serving.md`.
"""

import asyncio
import json
import statistics
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import process_time, thread_time
from typing import Any

import msgspec
import numpy as np
import pytest
from interlock_contracts.event import Event
from interlock_gateway.domain import prediction_id
from interlock_gateway.fastpath.app import FastPathApp
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.observe import trace_sampling
from interlock_gateway.observe.metrics import Metrics
from interlock_gateway.observe.prediction_log import PredictionLog
from interlock_gateway.observe.trace_sampling import TraceSampler
from interlock_modeling import Model
from interlock_modeling.answer import answer
from interlock_modeling.fast_decoder import FastRowDecoder
from interlock_runtime.telemetry import PipelinesAlways
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from tests.benchmarks.results import record, recorded
from tests.support.api_keys import KEY, letting_in
from tests.support.stored_models import ENCODER, REGRESSION, ROW
from tests.unit.modeling.engines.forests import random_forest

BODY = json.dumps({"rows": [ROW]}).encode()
REQUESTS, TOGETHER, ROUNDS, CALLS = 6_400, 64, 5, 2_000


class OneModel:
    """A worker, as far as the fast path needs it."""

    def __init__(self, model: Model) -> None:
        self._serving = BatchedModel(1, 1, model)

    def choose_version(self, _: str) -> BatchedModel:
        return self._serving


class Nowhere:
    async def publish(self, event: Event, *, cause: str, n: int = 0) -> None:
        """Forget it."""


def forest() -> Model:
    """Return a model over a forest of 64 trees of depth 10."""
    two = random_forest(64, len(ENCODER.names), 10, "float64")
    return Model(REGRESSION, ENCODER, replace(two, output=np.zeros(64, np.int64), base=np.array([0.5])))


def fast_path(model: Model, folder: Path, *, ratio: float, log: float) -> FastPathApp:
    async def behind(*_: Any) -> None:
        raise AssertionError("an ordinary request needs nothing behind the fast path")

    worker: Any = OneModel(model)
    metrics = Metrics("w-1", folder)
    return FastPathApp(
        behind,
        worker,
        access=letting_in(),
        metrics=metrics,
        sampler=TraceSampler(ratio),
        log=PredictionLog("w-1", Nowhere(), metrics.of, ratio=log, rows_per_second=20.0),
    )


def micros(call: Callable[[], object], times: int) -> float:
    """Return the least of five rounds of so many calls."""
    call()
    rounds = []
    for _ in range(ROUNDS):
        start = thread_time()
        for _ in range(times):
            call()
        rounds.append((thread_time() - start) / times * 1e6)
    return min(rounds)


class Encoding(SpanExporter):
    """Makes of spans what would be sent, and sends nothing."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have spans prediction_span, queued and encoded as in a service with a receiver."""
    provider = TracerProvider(sampler=PipelinesAlways(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Encoding(), max_queue_size=100_000))
    monkeypatch.setattr(trace_sampling, "_tracer", provider.get_tracer("benchmark"))
    yield
    provider.shutdown()


async def flood(begin: Callable[[asyncio.Future[bytes | None]], object], requests: int) -> float:
    """Return the microseconds of one request, when 64 arrive together: of all threads, as one of them sends spans."""
    loop = asyncio.get_running_loop()
    start = process_time()
    for _ in range(requests // TOGETHER):
        waiting = [loop.create_future() for _ in range(TOGETHER)]
        for each in waiting:
            begin(each)
        answers = await asyncio.gather(*waiting)
        assert None not in answers, "each is answered at once, by nobody behind the fast path"
    return (process_time() - start) / requests * 1e6


def stages(times: int = CALLS) -> dict[str, float]:
    """Return the microseconds of each stage of a prediction."""
    model = forest()
    fast = FastRowDecoder(model.signature, model.encoder)
    rows, matrix = fast.rows(BODY), np.zeros((64, fast.width))
    cells, encode = matrix.data.cast("B").cast("d"), msgspec.json.Encoder().encode
    decoder = msgspec.json.Decoder()
    access, bearer = letting_in(), b"Bearer " + KEY.encode()
    calls: dict[str, Callable[[], object]] = {
        "key": lambda: access.admit(bearer),
        "decode": lambda: fast.rows(BODY),
        "fill": lambda: fast.fill(rows, cells, 0),
        "engine, one row": lambda: model.engine.predict(matrix[:1]),
        "engine, 64 rows, each": lambda: model.engine.predict(matrix),
        "answer": lambda: encode(answer(prediction_id(), "flights", 1, None, [1.5])),
        "the general path, all of it": lambda: model.predict_rows(decoder.decode(BODY)["rows"]),
    }
    return {name: micros(call, times) / (64 if "64" in name else 1) for name, call in calls.items()}


def test_each_stage_of_a_prediction() -> None:
    """Reading a row and writing an answer cost less than the engine; the general path costs a multiple of both."""
    measured = stages()
    for name, taken in measured.items():
        print(f"\n{name:28} {taken:8.2f} us", end="")
    record("hot_path", (recorded("hot_path") or {}) | {"one stage, us": measured})

    assert measured["decode"] + measured["fill"] < measured["the general path, all of it"] / 2


async def telemetry(folder: Path, requests: int = REQUESTS) -> dict[str, list[float]]:
    """Return the microseconds of a request with telemetry on and off, round by round, interleaved."""
    headers = [(b"authorization", f"Bearer {KEY}".encode()), (b"content-length", b"60"), (b"host", b"gateway")]
    model = forest()
    fronts = {
        "nothing on": fast_path(model, folder / "0", ratio=0.0, log=0.0),
        "1 % traced": fast_path(model, folder / "1", ratio=0.01, log=0.0),
        "1 % traced, log on": fast_path(model, folder / "2", ratio=0.01, log=1.0),
        "all traced": fast_path(model, folder / "3", ratio=1.0, log=1.0),
    }

    def beginning(of: FastPathApp) -> Callable[[asyncio.Future[bytes | None]], object]:
        return lambda waiting: of.try_start("flights", headers, BODY, {}, waiting.set_result)

    ways: dict[str, Callable[[], Awaitable[float]]] = {
        name: lambda each=each: flood(beginning(each), requests)  # type: ignore[misc]
        for name, each in fronts.items()
    }
    rounds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, way in ways.items():
            rounds[name].append(await way())
    return {name: each[1:] for name, each in rounds.items()}


@pytest.mark.usefixtures("exported")
async def test_what_telemetry_costs(tmp_path: Path) -> None:
    """Counting, sampling and the log, on and off; the assertion leaves a busy machine its noise."""
    rounds = await telemetry(tmp_path)
    taken = {name: min(each) for name, each in rounds.items()}
    for name, each in taken.items():
        spread = statistics.median(rounds[name])
        print(f"\n{name:28} {each:8.2f} us (median {spread:.2f}), {each / taken['nothing on']:.2f}", end="")
    record("hot_path", (recorded("hot_path") or {}) | {"one request of 64 together, us": taken})

    assert taken["1 % traced, log on"] < 1.5 * taken["nothing on"]


def counting(folder: Path, times: int = CALLS) -> dict[str, float]:
    """Return the microseconds that metrics cost."""
    metrics, model = Metrics("w-1", folder), forest()
    regression = model.signature
    labels = regression.model_copy(update={"task": "classification", "labels": ["no", "yes", "perhaps"]})
    many, sure = [1.5] * 10_000, [[0.2, 0.7, 0.1]] * 10_000
    for number in range(20):  # as many models as a gateway may well have
        metrics.of(f"other-{number}").count(200, 1, 0.001)
        metrics.note(f"other-{number}", 1, regression, many)
    ways: dict[str, Callable[[], object]] = {
        "count": lambda: metrics.of("flights").count(200, 1, 0.0003),
        "note a number": lambda: metrics.note("flights", 1, regression, [1.5]),
        "note a label of three": lambda: metrics.note("kinds", 1, labels, [[0.2, 0.7, 0.1]]),
        "note 10,000 numbers": lambda: metrics.note("flights", 1, regression, many),
        "note 10,000 labels": lambda: metrics.note("kinds", 1, labels, sure),
    }
    measured = {name: micros(call, times) for name, call in ways.items()}
    start = thread_time()
    for _ in range(20):
        metrics.note("flights", 1, regression, [1.5])
        msgspec.json.encode(metrics._now())
    measured["the copy, once a second"] = (thread_time() - start) / 20 * 1e6
    start = thread_time()
    metrics.families()
    measured["a scrape of one worker"] = (thread_time() - start) * 1e6
    return measured


def test_what_counting_costs(tmp_path: Path) -> None:
    """A request pays microseconds for its metrics; the copy for the siblings is made once a second."""
    measured = counting(tmp_path)
    for name, taken in measured.items():
        print(f"\n{name:28} {taken:8.2f} us", end="")
    record("hot_path", (recorded("hot_path") or {}) | {"counting, us": measured})

    assert measured["count"] + measured["note a label of three"] < 10
    assert measured["note 10,000 labels"] < 200
    assert measured["the copy, once a second"] < 20_000
