"""Status events of a worker: published in order, each in its own trace, and as soon as the bus can be reached."""

import logging
from collections import deque

from interlock_artifacts.signing import UntrustedPromotionError
from interlock_contracts import metrics
from interlock_contracts.models import ModelLoadFailed, ModelServing
from interlock_messaging.pending_events import PendingEvents, Publisher
from interlock_serving.load_backoff import LoadFailure
from interlock_serving.manager import LoadReport
from interlock_serving.promotion import Promotion
from prometheus_client import Counter, Histogram

from interlock_gateway.models.batcher import BatchedModel

logger = logging.getLogger(__name__)

LOAD_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the histogram of loads, in seconds."""

_loads = Counter(*metrics.LOADS.family)
_load_seconds = Histogram(*metrics.LOAD_SECONDS.family, buckets=LOAD_BOUNDS)


class StatusPublisher:
    """Publishes what happens to the models of one worker, and keeps what could not be published yet."""

    def __init__(self, worker: str, bus: Publisher) -> None:
        self._worker = worker
        self._events = PendingEvents(bus)
        self._untrusted: deque[tuple[str, int, str]] = deque(maxlen=1000)
        self._reported_serving: dict[str, int] = {}
        self._reported_failure: dict[str, tuple[int, str]] = {}

    async def report(self, report: LoadReport[BatchedModel]) -> None:
        """Count the load, and publish ``model.serving`` or ``model.load_failed`` as part of the present trace.

        A version is reported to serve once, however often it is loaded again, and a failure once for each reason:
        reconciling meets it again and again.
        """
        promotion, outcome = report.promotion, report.outcome
        if isinstance(outcome, UntrustedPromotionError):
            self._refused(promotion, f"{type(outcome).__name__}: {outcome}", report.cause)
        elif isinstance(outcome, LoadFailure):
            _count(promotion.ref.model, "failed", report.seconds)
            self._failed(promotion, outcome.reason, report.cause)
        else:
            _count(promotion.ref.model, "served", report.seconds)
            self._serves(promotion, report.seconds, report.cause)
        await self.flush()

    async def flush(self) -> None:
        """Publish what was not published yet, in order, as far as the bus takes it."""
        await self._events.flush()

    def _refused(self, promotion: Promotion, reason: str, cause: str) -> None:
        key = promotion.ref.model, promotion.seq, reason
        if key not in self._untrusted:
            self._untrusted.append(key)
            self._add_failure(promotion, reason, cause)

    def _failed(self, promotion: Promotion, reason: str, cause: str) -> None:
        model = promotion.ref.model
        if self._reported_failure.get(model) != (promotion.seq, reason):
            self._reported_failure[model] = promotion.seq, reason
            self._add_failure(promotion, reason, cause)

    def _serves(self, promotion: Promotion, seconds: float, cause: str) -> None:
        ref = promotion.ref
        logger.info("%s %d serves after %.3f s", ref.model, ref.version, seconds)
        if self._reported_serving.get(ref.model, 0) >= promotion.seq:
            return
        self._reported_serving[ref.model] = promotion.seq
        self._reported_failure.pop(ref.model, None)
        event = ModelServing(
            model=ref.model, version=ref.version, promotion_seq=promotion.seq, worker=self._worker, load_seconds=seconds
        )
        self._events.add(event, cause=cause)

    def _add_failure(self, promotion: Promotion, reason: str, cause: str) -> None:
        ref = promotion.ref
        logger.warning("%s %d is not loaded: %s", ref.model, ref.version, reason)
        event = ModelLoadFailed(
            model=ref.model, version=ref.version, promotion_seq=promotion.seq, worker=self._worker, reason=reason
        )
        self._events.add(event, cause=cause)


def _count(model: str, outcome: str, seconds: float) -> None:
    _loads.labels(model, outcome).inc()
    _load_seconds.labels(model).observe(seconds)
