"""Prometheus metrics at ``GET /metrics``: counters of this process, and gauges that are collected at a scrape."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from time import perf_counter

from interlock_contracts import metrics
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import REGISTRY, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

COLLECT_SECONDS = 2.0
"""How long one look may take; what takes longer is left out of an answer, so that a scrape never hangs."""

# Those of the semantic conventions of OpenTelemetry.
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, without use
_requests = Histogram(*metrics.HTTP_SECONDS.family, buckets=_BOUNDS)

Counters = Callable[[], Iterable[Metric]]
"""Gives what a process has counted, without waiting for anything."""

MetricCollector = Callable[[], Awaitable[Iterable[Metric]]]
"""Looks something up, in a table or at the broker; may raise whatever a dependency that is down raises."""

Ping = Callable[[], Awaitable[None]]
"""Raises where a dependency does not answer."""

_FAILED = 500


class StatusSend:
    """ASGI's ``send`` that keeps the status of what it sends; 500 until an answer begins."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = _FAILED

    async def __call__(self, message: Message) -> None:
        """Send ``message``."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


class HttpMetricsMiddleware:
    """The ASGI application ``app``, its requests counted by route: a name that a client makes up is no label."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let ``app`` answer."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        start, answer = perf_counter(), StatusSend(send)
        try:
            await self._app(scope, receive, answer)
        finally:
            route = scope.get("path_template", "")
            _requests.labels(_method(scope["method"]), route, str(answer.status)).observe(perf_counter() - start)


def _method(method: str) -> str:
    return method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH") else "_OTHER"


def counter(declared: metrics.Metric, samples: Iterable[tuple[Sequence[str], float]]) -> Metric:
    """Return a counter's family; each sample is the values of its labels, in their order, and a number."""
    return _filled(CounterMetricFamily(declared.name, declared.help, labels=declared.labels), samples)


def gauge(declared: metrics.Metric, samples: Iterable[tuple[Sequence[str], float]]) -> Metric:
    """Return a gauge's family, from the same."""
    return _filled(GaugeMetricFamily(declared.name, declared.help, labels=declared.labels), samples)


def _filled(family: CounterMetricFamily | GaugeMetricFamily, samples: Iterable[tuple[Sequence[str], float]]) -> Metric:
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


async def text(counters: Counters, metric_collectors: Sequence[MetricCollector], pings: Mapping[str, Ping]) -> bytes:
    """Return everything in Prometheus's text format; without collectors that fail, whose dependencies count as down.

    All collect at once, so an answer takes no longer than the slowest of them.
    """
    found = await asyncio.gather(_up(pings), *(_collected(each) for each in metric_collectors))
    families = [*counters(), *(each for got in found for each in got)]
    return await asyncio.to_thread(generate_latest, Given(families))


async def _collected(collector: MetricCollector) -> Iterable[Metric]:
    try:
        async with asyncio.timeout(COLLECT_SECONDS):
            return await collector()
    except Exception as error:  # noqa: BLE001 - whatever a collector raises, the others are reported
        logger.warning("%s is left out of the metrics: %s", getattr(collector, "__qualname__", "a collector"), error)
        return ()


async def _up(pings: Mapping[str, Ping]) -> Iterable[Metric]:
    answers = await asyncio.gather(*(_answers(each) for each in pings.values()))
    return [gauge(metrics.DEPENDENCY_UP, [([name], up) for name, up in zip(pings, answers, strict=True)])]


async def _answers(ping: Ping) -> bool:
    try:
        async with asyncio.timeout(COLLECT_SECONDS):
            await ping()
    except Exception:  # noqa: BLE001 - whatever it is, it is the answer
        return False
    return True


class Given(Collector):
    """Families that are there already, in the form that prometheus_client writes down."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def counted_here() -> Iterable[Metric]:
    """Return what this process has counted, and what it takes: its memory, its time."""
    return REGISTRY.collect()
