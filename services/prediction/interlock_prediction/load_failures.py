"""Publishes ``model.load_failed``: why a promoted version is not loaded, once for each reason."""

import logging
from collections import deque

from interlock_artifacts.signing import UntrustedPromotionError
from interlock_contracts.models import ModelLoadFailed
from interlock_messaging.pending_events import PendingEvents, Publisher
from interlock_serving.load_backoff import LoadFailure
from interlock_serving.manager import LoadReport
from interlock_serving.slot import ServedModel

logger = logging.getLogger(__name__)

REMEMBERED_FAILURES = 1000
"""Failures that are not reported again: anybody on the bus can make up promotions that are not trusted."""


class LoadFailurePublisher:
    """Publishes the failed loads of one replica, and keeps what could not be published yet."""

    def __init__(self, replica: str, bus: Publisher) -> None:
        self._replica = replica
        self._events = PendingEvents(bus)
        self._reported: deque[tuple[str, int, str]] = deque(maxlen=REMEMBERED_FAILURES)

    async def report(self, report: LoadReport[ServedModel]) -> None:
        """Publish a load that failed, or a promotion that is not the registry's, as part of the present trace.

        Each reason is published once for a model and ``promotion_seq``, however often it is met; a swap is not
        published at all, for only the gateway reports what serves.
        """
        if isinstance(report.outcome, LoadFailure):
            self._add(report, report.outcome.reason)
        elif isinstance(report.outcome, UntrustedPromotionError):
            self._add(report, f"{type(report.outcome).__name__}: {report.outcome}")
        await self.flush()

    async def flush(self) -> None:
        """Publish what was not published yet, in order, as far as the bus takes it."""
        await self._events.flush()

    def _add(self, report: LoadReport[ServedModel], reason: str) -> None:
        ref, seq = report.promotion.ref, report.promotion.seq
        if (key := (ref.model, seq, reason)) in self._reported:
            return
        self._reported.append(key)
        logger.warning("%s %d is not loaded: %s", ref.model, ref.version, reason)
        event = ModelLoadFailed(
            model=ref.model, version=ref.version, promotion_seq=seq, worker=self._replica, reason=reason
        )
        self._events.add(event, cause=report.cause)
