"""Traffic of models over a rolling time window, from the counters that gateway workers expose to Prometheus.

A scrape reaches one host, and has the counters of all workers there since they started. So samples are kept by
worker: what a worker has answered lately is the difference of two of its own, and other hosts come in other scrapes.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from interlock_contracts import metrics
from interlock_contracts.console import TrafficView
from prometheus_client.parser import text_string_to_metric_families

WINDOW_SECONDS = 300.0
"""How far back requests count."""

_PRESENT = "process_start_time_seconds"
"""Every worker has it, also one without a request so far."""

_READ = (
    metrics.PREDICT_REQUESTS.name,
    f"{metrics.PREDICT_SECONDS.name}_bucket",
    metrics.SERVING_VERSION.name,
    _PRESENT,
)
_REFUSED, _ERROR = 400, 500


@dataclass
class Counters:
    """What one worker has counted of one model, or the difference of two such; ``buckets`` are cumulative by bound."""

    requests: float = 0
    refused: float = 0
    errors: float = 0
    buckets: dict[float, float] = field(default_factory=dict)
    version: int | None = None

    def add(self, after: "Counters", before: "Counters") -> None:
        """Add what was counted between two samples of one worker."""
        self.requests += after.requests - before.requests
        self.refused += after.refused - before.refused
        self.errors += after.errors - before.errors
        for bound, number in after.buckets.items():
            self.buckets[bound] = self.buckets.get(bound, 0) + number - before.buckets.get(bound, 0)

    def count(self, status: int, number: float) -> None:
        """Count requests that were answered with ``status``."""
        self.requests += number
        self.errors += number if status >= _ERROR else 0
        self.refused += number if _REFUSED <= status < _ERROR else 0


Sample = Mapping[str, Counters]
"""Counters of one worker by model."""


def samples_of(text: str) -> dict[str, dict[str, Counters]]:
    """Return the sample of each worker in an answer of ``/metrics``; what is not needed of it is not parsed.

    Models without a name are those that clients made up.
    """
    lines = [line for line in text.splitlines() if line.startswith(_READ)]
    workers: dict[str, dict[str, Counters]] = {}
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for name, labels, value, *_ in family.samples:
            worker = workers.setdefault(labels.get("worker", ""), {})
            if not (model := labels.get("model")):
                continue
            counters = worker.setdefault(model, Counters())
            if name == metrics.PREDICT_REQUESTS.name:
                counters.count(int(labels["status"]), value)
            elif name == metrics.SERVING_VERSION.name:
                counters.version = int(value)
            else:
                bound = float(labels["le"])
                counters.buckets[bound] = counters.buckets.get(bound, 0) + value
    return workers


class TrafficWindow:
    """The samples of the last ``WINDOW_SECONDS``, by worker; times are of a monotonic clock."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[tuple[float, Sample]]] = {}
        self._first: float | None = None
        self._last: float | None = None

    def record(self, now: float, samples: Mapping[str, Sample]) -> None:
        """Add a scrape, and forget samples that are too old; a worker's newest but one stays to compare with."""
        self._first = now if self._first is None else self._first
        self._last = now
        for worker, sample in samples.items():
            self._samples.setdefault(worker, deque()).append((now, sample))
        for worker, kept in list(self._samples.items()):
            while kept and kept[0][0] < now - WINDOW_SECONDS:
                kept.popleft()
            if not kept:
                del self._samples[worker]

    @property
    def seconds(self) -> float | None:
        """Return how much time the traffic is measured over; None before the second scrape."""
        if self._first is None or self._last is None or self._first == self._last:
            return None
        return min(self._last - self._first, WINDOW_SECONDS)

    def workers(self, within: float) -> int:
        """Return how many workers have been seen ``within`` so many seconds of the last scrape."""
        return sum(1 for _ in self._alive(within))

    def traffic(self, within: float) -> list[TrafficView]:
        """Return the traffic of every model, by name; workers seen ``within`` so many seconds decide which version."""
        found: dict[str, Counters] = {}
        for kept in self._samples.values():
            (_, before), (_, after) = kept[0], kept[-1]
            for model, counters in after.items():
                found.setdefault(model, Counters()).add(counters, before.get(model, Counters()))
        versions: dict[str, dict[int, int]] = {}
        for sample in self._alive(within):
            for model, counters in sample.items():
                if counters.version is not None:
                    serving = versions.setdefault(model, {})
                    serving[counters.version] = serving.get(counters.version, 0) + 1
        return [_view(model, found[model], versions.get(model, {})) for model in sorted(found)]

    def _alive(self, within: float) -> Iterator[Sample]:
        for kept in self._samples.values():
            seen, sample = kept[-1]
            if self._last is not None and seen >= self._last - within:
                yield sample


def _view(model: str, counters: Counters, versions: dict[int, int]) -> TrafficView:
    buckets = sorted(counters.buckets.items())
    return TrafficView(
        model=model,
        requests=round(counters.requests),
        refused=round(counters.refused),
        errors=round(counters.errors),
        p50_seconds=quantile(buckets, 0.5),
        p99_seconds=quantile(buckets, 0.99),
        versions=versions,
    )


def quantile(buckets: list[tuple[float, float]], share: float) -> float | None:
    """Return a quantile of a histogram with cumulative ``buckets``, None of an empty one.

    Within a bucket it is interpolated; beyond the last bound it is that bound, as for Prometheus.
    """
    if not buckets or buckets[-1][1] <= 0:
        return None
    wanted, below, reached = share * buckets[-1][1], 0.0, 0.0
    for bound, number in buckets:
        if number >= wanted:
            inside = number - reached
            return (
                below if bound == float("inf") or inside <= 0 else below + (bound - below) * (wanted - reached) / inside
            )
        below, reached = bound, number
    return below
