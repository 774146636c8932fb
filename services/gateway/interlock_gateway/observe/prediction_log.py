"""Best-effort prediction log: samples answers in memory beside the hot path and publishes them in events.

It makes no request wait and does not grow: what exceeds a limit is dropped, and the next event has the count.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
import pyarrow as pa
from interlock_contracts.event import UNTRACED, Event
from interlock_contracts.predictions import MAX_ROWS, LoggedPrediction, PredictionLogged, sampled
from interlock_modeling.answer import Scores
from interlock_runtime.process import run_periodically
from interlock_runtime.token_bucket import TokenBuckets
from interlock_serving.prediction_log import LoggedVersion
from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from interlock_gateway.domain import LogView, PredictRequest
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.observe.counts import Counts
from interlock_gateway.settings import GatewaySettings

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
PAUSE_SECONDS = 0.02
"""Between two events: with hundreds of models a flush takes longer instead of taking the worker's time."""

HELD_BYTES = 8 * 1024 * 1024
"""Request bodies held at once, over all models."""

STOP_SECONDS = 5.0

Rows = bytes | pa.Table | Sequence[Mapping[str, Any]]
"""Rows of a request: the body of a predict request, a table, or JSON objects; decoded off the hot path."""

_decoder = msgspec.json.Decoder(PredictRequest)

_UNTRACED = TraceContextTextMapPropagator().extract({"traceparent": UNTRACED})


class Publisher(Protocol):
    """Publisher of events, as far as the log needs it."""

    async def publish(self, event: Event, *, cause: str, n: int = 0) -> object:
        """Publish ``event``; ConnectionError or TimeoutError when the bus is down."""


@dataclass(slots=True)
class _LoggedRequest:
    """One request, of whose rows the first ``count`` are logged."""

    id: str
    at: float
    rows: Rows
    scores: Scores
    count: int
    size: int


@dataclass(slots=True)
class _Sample:
    """Sample of one version's answers since its last event."""

    logged: LoggedVersion
    answered: int = 0
    dropped: int = 0
    requests: list[_LoggedRequest] = field(default_factory=list)


class PredictionLog:
    """Samples the answers of one worker; to be used from its event loop only.

    A request is in the sample or not by its id (:func:`sampled`), each with all of its rows, and ``ratio`` 0 switches
    the log off. Versions of a model may answer in turn: each has a sample and a token bucket of its own, which lets
    ``burst`` rows through at once and ``rows_per_second`` in the long run. ``counts`` gives a model's counters.
    """

    def __init__(
        self,
        worker: str,
        bus: Publisher,
        counts: Callable[[str], Counts],
        *,
        ratio: float,
        rows_per_second: float,
        burst: int = MAX_ROWS,
    ) -> None:
        self._worker = worker
        self._bus = bus
        self._counts = counts
        self._ratio = ratio
        self._samples: dict[tuple[str, int], _Sample] = {}
        self._flushed = time.monotonic()
        self._tokens = TokenBuckets(rows_per_second, burst, clock=lambda: self._flushed)
        self._held = 0
        self._draining: Iterator[PredictionLogged] = iter(())
        self._pending_event: PredictionLogged | None = None
        self._published = 0
        self._answered = self._logged = self._dropped = 0

    def record(  # noqa: PLR0917 - an object around them would cost as much as all the rest
        self,
        model: str,
        serving: BatchedModel,
        request_id: str,
        rows: Rows,
        scores: Scores,
        size: int,
    ) -> None:
        """Count an answer; log it if it is sampled and within limits. ``size`` is of ``rows``, in bytes."""
        if not self._ratio:
            return
        key = model, serving.promotion_seq
        sample = self._samples.get(key) or self._start_sample(key, serving)
        count = len(scores)
        sample.answered += count
        if not sampled(request_id, self._ratio):
            return
        kept = self._tokens.take(key, count) if self._held + size <= HELD_BYTES else 0
        sample.dropped += count - kept
        if kept:
            self._held += size
            sample.requests.append(_LoggedRequest(request_id, time.time(), rows, scores, kept, size))

    def _start_sample(self, key: tuple[str, int], serving: BatchedModel) -> _Sample:
        model, promotion_seq = key
        signature = serving.model.signature
        logged = LoggedVersion(model, serving.version, promotion_seq, signature, self._worker, self._ratio)
        started = self._samples[key] = _Sample(logged)
        return started

    @classmethod
    def of(
        cls, settings: GatewaySettings, worker: str, bus: Publisher, counts: Callable[[str], Counts]
    ) -> "PredictionLog":
        """Return the log of ``worker`` as it is set."""
        return cls(
            worker,
            bus,
            counts,
            ratio=settings.prediction_log_ratio,
            rows_per_second=settings.prediction_log_rows_per_second,
        )

    @property
    def view(self) -> LogView:
        """Return the number of answered, logged and dropped rows since this worker started."""
        return LogView(ratio=self._ratio, answered=self._answered, logged=self._logged, dropped=self._dropped)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Flush periodically while the block lasts, and once more when it ends."""
        async with run_periodically(self.flush, seconds=EVERY_SECONDS):
            yield
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.flush()  # may only finish an earlier flush
                await self.flush()
        except (ConnectionError, TimeoutError) as error:
            logger.warning("the last predictions are not logged: %s", error)

    async def flush(self) -> None:
        """Publish what was sampled since the last flush.

        An event that was not confirmed is published again by the next flush, under the same id; answers meanwhile
        are sampled within the limits. Tokens are refilled only here, once everything is published.

        Raises:
            ConnectionError, TimeoutError: the bus is down.
        """
        if self._pending_event is None:
            self._draining, self._samples = self._events(list(self._samples.values())), {}
            self._pending_event = next(self._draining, None)
        while self._pending_event is not None:
            await self._publish(self._pending_event)
            self._pending_event = next(self._draining, None)
            await asyncio.sleep(PAUSE_SECONDS)
        self._flushed = time.monotonic()

    async def _publish(self, event: PredictionLogged) -> None:
        token = context.attach(_UNTRACED)
        try:
            await self._bus.publish(event, cause=f"log/{self._worker}", n=self._published)
        finally:
            context.detach(token)
        self._published += 1
        self._pending_event = None
        self._answered += event.answered
        self._logged += len(event.rows)
        self._dropped += event.dropped
        counts = self._counts(event.model)
        counts.logged += len(event.rows)
        counts.dropped += event.dropped

    def _events(self, samples: Sequence[_Sample]) -> Iterator[PredictionLogged]:
        for sample in samples:
            yield from self._events_of(sample)

    def _events_of(self, sample: _Sample) -> Iterator[PredictionLogged]:
        return sample.logged.events(self._rows(sample), answered=sample.answered, dropped=sample.dropped)

    def _rows(self, sample: _Sample) -> Iterator[LoggedPrediction]:
        for request in sample.requests:
            self._held -= request.size
            at = datetime.fromtimestamp(request.at, UTC)
            given = _objects(request.rows, request.count)
            yield from sample.logged.rows(request.id, at, given, request.scores[: request.count])


def _objects(rows: Rows, count: int) -> Sequence[Mapping[str, Any]]:
    if isinstance(rows, bytes):
        return _decoder.decode(rows).rows
    return rows.slice(0, count).to_pylist() if isinstance(rows, pa.Table) else rows
