"""Prometheus metrics of one process's messages: counted as they come, and collected when they are scraped."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from time import perf_counter

from faststream.rabbit import RabbitBroker, RabbitQueue
from interlock_contracts import metrics
from interlock_contracts.event import Envelope
from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from interlock_messaging.connecting import connected
from interlock_messaging.outbox import waiting

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0)
"""Upper bounds of the histograms, in seconds: a message may be held for ten minutes."""

_troubles = Counter(*metrics.MESSAGE_TROUBLES.family)
_seconds = Histogram(*metrics.MESSAGE_SECONDS.family, buckets=BOUNDS)
_waited = Histogram(*metrics.MESSAGE_WAIT_SECONDS.family, buckets=BOUNDS)


def named(queue: RabbitQueue) -> str:
    """Return the label of a queue: its name, but without the process where it is a process's own."""
    return queue.name if queue.durable else queue.name.partition(queue.routing_key)[0] + queue.routing_key


def trouble(queue: RabbitQueue, outcome: str) -> None:
    """Count a message that was not simply handled."""
    _troubles.labels(named(queue), outcome).inc()


def note_wait(queue: RabbitQueue, envelope: Envelope) -> None:
    """Record how long an event has waited for its consumer; clocks that differ count as no wait."""
    if envelope.time is not None:
        _waited.labels(named(queue)).observe(max(0.0, (datetime.now(UTC) - envelope.time).total_seconds()))


@contextmanager
def timed(queue: RabbitQueue, envelope: Envelope, tried: int) -> Iterator[None]:
    """Note how long the block takes; and how long the event has waited, where it is taken for the first time."""
    if not tried:
        note_wait(queue, envelope)
    start = perf_counter()
    try:
        yield
    finally:
        _seconds.labels(named(queue)).observe(perf_counter() - start)


@contextmanager
def timed_batch(queue: RabbitQueue, fresh: Sequence[Envelope]) -> Iterator[None]:
    """Note the same of messages that are handled together, those that are taken for the first time."""
    for each in fresh:
        note_wait(queue, each)
    start = perf_counter()
    try:
        yield
    finally:
        taken, seconds = perf_counter() - start, _seconds.labels(named(queue))
        for _ in fresh:
            seconds.observe(taken)


async def lag(broker: RabbitBroker, queues: Iterable[RabbitQueue]) -> list[Metric]:
    """Return how many messages wait in each of the queues that processes share.

    Raises:
        ConnectionError, TimeoutError: RabbitMQ cannot be reached.
    """
    family = _gauge(metrics.QUEUE_MESSAGES)
    connection = await connected(broker)
    async with connection.channel(publisher_confirms=False) as channel:  # FastStream's own remembers what it has asked
        for each in queues:
            if each.durable:
                found = await channel.declare_queue(each.name, passive=True, robust=False)
                family.add_metric([each.name], found.declaration_result.message_count or 0)
    return [family]


async def unpublished(sessions: async_sessionmaker[AsyncSession]) -> list[Metric]:
    """Return how many events wait in the outbox, and for how long."""
    events, oldest = _gauge(metrics.OUTBOX_EVENTS), _gauge(metrics.OUTBOX_AGE)
    for each in await waiting(sessions):
        events.add_metric([each.type], each.events)
        oldest.add_metric([each.type], each.oldest_seconds)
    return [events, oldest]


def _gauge(declared: metrics.Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(declared.name, declared.help, labels=declared.labels)
