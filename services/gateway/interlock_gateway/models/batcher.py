"""Dynamic batching: requests for one version that wait together share one engine call, and none waits for more.

A request joins the batch of the moment, and the event loop's next turn computes it. So requests that arrive together
share one call, a single one is computed at once, and a batch never mixes versions: each has its own batcher.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from interlock_contracts.predictions import MAX_ROWS
from interlock_modeling import Model
from interlock_modeling.answer import Scores
from interlock_modeling.fast_decoder import FALLBACK_ERRORS, FastRowDecoder
from interlock_serving.slot import ServedModel
from numpy.typing import NDArray

BATCH_ROWS = 64
"""Rows in one engine call, at most."""

QUICK_SECONDS = 0.001
"""How long an engine call may hold up the event loop: larger batches are split, slower engines asked in a thread."""

INLINE_BYTES = 32 * 1024
"""A larger body is decoded, too, in a thread."""

MAX_IN_FLIGHT = 1024
"""Requests in flight for one version in one worker, unless set otherwise; beyond, clients get 503 with Retry-After."""

OnDone = Callable[[Scores | None], None]
"""Gets a request's scores, or ``None`` where it is for :meth:`Model.predict_rows` after all."""

logger = logging.getLogger(__name__)


class OverloadedError(Exception):
    """As many requests as its limit allows are in flight for this version."""


class _Batch:
    """Rows of several requests in one matrix; zeros where nothing was written yet."""

    __slots__ = ("cells", "matrix", "requests", "rows")

    def __init__(self, width: int) -> None:
        self.matrix: NDArray[np.float64] = np.zeros((BATCH_ROWS, width))
        self.cells = self.matrix.data.cast("B").cast("d")
        self.rows = 0
        self.requests: list[tuple[OnDone, int, int]] = []

    def add(self, decoder: FastRowDecoder, rows: Sequence[Any], on_done: OnDone) -> None:
        """Write ``rows`` behind those that are there; any of ``FALLBACK_ERRORS`` leaves the batch as it was."""
        start, stop = self.rows, self.rows + len(rows)
        try:
            decoder.fill(rows, self.cells, start * decoder.width)
        except BaseException:
            self.matrix[start:stop] = 0.0
            raise
        self.rows = stop
        self.requests.append((on_done, start, stop))

    def resolve(self, scores: Scores | None) -> None:
        """Resolve every request with its part; ``None`` where that is not finite, or there is none."""
        for on_done, start, stop in self.requests:
            part = None if scores is None else scores[start:stop]
            try:
                on_done(part if part is not None and _finite(part) else None)
            except Exception:  # the others still wait for theirs
                logger.exception("an answer is lost")


class DynamicBatcher:
    """Batches the requests for one version's engine, in one event loop."""

    def __init__(self, model: Model, limit: int = MAX_IN_FLIGHT) -> None:
        self.in_flight = 0
        self._limit = limit
        self._model = model
        self._decoder = FastRowDecoder.of(model.signature, model.encoder)
        self._ready: deque[_Batch] = deque()
        self._busy = False
        self._runs_inline: bool | None = None
        self._batch_rows = BATCH_ROWS

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Count as a request in flight while the block lasts.

        Raises:
            OverloadedError: the limit is reached.
        """
        if self.in_flight >= self._limit:
            raise OverloadedError
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    async def scores(self, body: bytes) -> Scores | None:
        """Answer the body of an ordinary request.

        ``None`` means that this one is for :meth:`Model.predict_rows`: it is not ordinary, has no finite answer, or
        the limit is reached. No other request in its batch is affected.
        """
        if self._decoder is None or self.in_flight >= self._limit:
            return None
        try:
            rows = self._decoder.rows(body) if len(body) <= INLINE_BYTES else None
            if rows is None or not 0 < len(rows) <= self._batch_rows:
                with self.acquire():
                    return await asyncio.to_thread(self._predict_large, self._decoder, rows, body)
            answer: asyncio.Future[Scores | None] = asyncio.get_running_loop().create_future()
            self._join(self._decoder, rows, lambda scores: None if answer.done() else answer.set_result(scores))
        except FALLBACK_ERRORS:
            return None
        return await answer

    def try_start(self, body: bytes, on_done: OnDone) -> bool:
        """Start to answer a small body and call ``on_done`` later; False where :meth:`scores` must answer instead."""
        if self._decoder is None or self.in_flight >= self._limit:
            return False
        try:
            rows = self._decoder.rows(body)
            if not 0 < len(rows) <= self._batch_rows:
                return False
            self._join(self._decoder, rows, on_done)
        except FALLBACK_ERRORS:
            return False
        return True

    def _join(self, decoder: FastRowDecoder, rows: Sequence[Any], on_done: OnDone) -> None:
        """Add ``rows`` to the batch that computes next; any of ``FALLBACK_ERRORS`` changes nothing."""
        if self._ready and self._ready[-1].rows + len(rows) <= self._batch_rows:
            self._ready[-1].add(decoder, rows, on_done)
        else:
            batch = _Batch(decoder.width)
            batch.add(decoder, rows, on_done)
            self._ready.append(batch)
            if not self._busy:
                self._busy = True
                asyncio.get_running_loop().call_soon(self._next)
        self.in_flight += 1

    def _next(self) -> None:
        """Compute the oldest batch: here if the engine is known to be quick, else in a thread, one at a time."""
        batch = self._ready.popleft()
        if self._runs_inline:
            self._end(batch, self._computed(batch.matrix[: batch.rows]))
            return
        compute = self._computed if self._runs_inline is not None else self._calibrate
        done = asyncio.get_running_loop().run_in_executor(None, compute, batch.matrix[: batch.rows])
        done.add_done_callback(lambda done: self._end(batch, done.result()))

    def _end(self, batch: _Batch, scores: Scores | None) -> None:
        self.in_flight -= len(batch.requests)
        batch.resolve(scores)
        if self._ready:
            asyncio.get_running_loop().call_soon(self._next)
        else:
            self._busy = False

    def _computed(self, matrix: NDArray[np.float64]) -> Scores | None:
        try:
            scores: Scores = self._model.engine.predict(matrix).tolist()
        except Exception:  # each request is then computed by itself, and those that fail get the error
            logger.exception("a batch of %d rows failed", len(matrix))
            return None
        return scores

    def _calibrate(self, matrix: NDArray[np.float64]) -> Scores | None:
        """Find out how quick the engine is, in a thread as long as that is not known."""
        scores = self._computed(matrix)
        one, full = self._seconds(matrix[:1]), self._seconds(np.repeat(matrix[:1], BATCH_ROWS, axis=0))
        if one < QUICK_SECONDS:
            self._batch_rows = max(1, min(BATCH_ROWS, int(BATCH_ROWS * QUICK_SECONDS / full)))
        self._runs_inline = one < QUICK_SECONDS
        return scores

    def _seconds(self, matrix: NDArray[np.float64]) -> float:
        """Return the least of three: what else the machine does is not the engine's fault."""
        seconds = []
        for _ in range(3):
            start = perf_counter()
            self._computed(matrix)
            seconds.append(perf_counter() - start)
        return min(seconds)

    def _predict_large(self, decoder: FastRowDecoder, rows: Sequence[Any] | None, body: bytes) -> Scores | None:
        """Answer one large request in a call of its own."""
        rows = decoder.rows(body) if rows is None else rows
        if not 0 < len(rows) <= MAX_ROWS:
            return None
        matrix = np.zeros((len(rows), decoder.width))
        decoder.fill(rows, matrix.data.cast("B").cast("d"), 0)
        scores = self._computed(matrix)
        return scores if scores is not None and _finite(scores) else None


@dataclass(frozen=True, slots=True)
class BatchedModel(ServedModel):
    """A version, its model and the version's own batcher: requests of another version never share it.

    ``limit`` is how many requests it may have in flight.
    """

    limit: int = MAX_IN_FLIGHT
    batcher: DynamicBatcher = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "batcher", DynamicBatcher(self.model, self.limit))


def _finite(scores: Scores) -> bool:
    """Return whether every number is finite; in doubt, which takes sums of the largest, not."""
    total = sum(scores) if isinstance(scores[0], float) else sum(map(sum, scores))
    return math.isfinite(total)
