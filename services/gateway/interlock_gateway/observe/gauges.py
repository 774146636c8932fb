"""Gauges of what a worker serves."""

from collections.abc import Iterable

from interlock_contracts import metrics
from interlock_runtime.metrics import gauge
from interlock_serving.slot import Slot
from prometheus_client.core import Metric

from interlock_gateway.models.batcher import BatchedModel


def serving(slots: Iterable[Slot[BatchedModel]]) -> list[Metric]:
    """Return which version answers for each model, by which promotion, and what is known but not loaded."""
    known = list(slots)
    loaded = [(slot.model, slot.serving, slot.bytes) for slot in known if slot.serving is not None]
    return [
        gauge(metrics.SERVING_VERSION, (((name,), serving.version) for name, serving, _ in loaded)),
        gauge(metrics.SERVING_SEQ, (((name,), serving.promotion_seq) for name, serving, _ in loaded)),
        gauge(metrics.KNOWN_SEQ, (((slot.model,), slot.promotion.seq) for slot in known if slot.promotion is not None)),
        gauge(metrics.MODEL_BYTES, (((name,), size) for name, _, size in loaded)),
    ]
