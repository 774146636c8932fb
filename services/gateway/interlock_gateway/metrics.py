"""What predictions cost and how they end: plain counters on the way, made into Prometheus's text when it asks.

Every worker counts for itself under its own label. A scrape reaches any one of them, so each leaves a copy of its
counters in a folder of the host, and whoever is asked answers for all: sums over ``worker`` are true to a second.
"""

import os
import shutil
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
from interlock_runtime.process import repeating
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0)
"""Upper bounds of the histogram, in seconds."""

COPY_SECONDS = 1.0
"""How old a worker's copy of its counters may be."""

UNKNOWN = ""
"""The label of all models that this worker does not serve: what clients make up is no label."""


class Counts(msgspec.Struct):
    """One model's counters in one worker; ``buckets`` has one place more than ``BOUNDS``, for what took longer.

    ``logged`` and ``dropped`` are the rows that the prediction log has told of, and those that it had no room for.
    """

    answers: dict[int, int] = {}
    rows: int = 0
    logged: int = 0
    dropped: int = 0
    seconds: float = 0.0
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def count(self, status: int, rows: int, seconds: float) -> None:
        """Count one request: how it ended, the rows it was answered, and the time from its headers to its answer."""
        self.answers[status] = self.answers.get(status, 0) + 1
        self.rows += rows
        self.seconds += seconds
        self.buckets[bisect_left(BOUNDS, seconds)] += 1


class _Copy(msgspec.Struct):
    worker: str
    process: int
    models: dict[str, Counts]


class Metrics:
    """The counters of one worker, and the copies of its siblings': those of the same parent, below ``folder``."""

    def __init__(self, worker: str, folder: Path) -> None:
        self._folder = folder / f"metrics-{os.getppid()}"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in folder.glob("metrics-*"):
            if not _runs(int(left.name.removeprefix("metrics-"))):
                shutil.rmtree(left, ignore_errors=True)
        self._own = _Copy(worker, os.getpid(), {})

    def of(self, model: str) -> Counts:
        """Return the counters of ``model``."""
        counts = self._own.models.get(model)
        if counts is None:
            counts = self._own.models[model] = Counts()
        return counts

    @asynccontextmanager
    async def copying(self) -> AsyncIterator[None]:
        """Leave copies for the siblings while the block lasts."""
        path = self._folder / f"{self._own.worker}.json"

        async def copy() -> None:
            partial = path.with_suffix(".partial")
            partial.write_bytes(msgspec.json.encode(self._own))
            partial.replace(path)

        async with repeating(copy, seconds=COPY_SECONDS):
            yield
        path.unlink(missing_ok=True)

    def text(self) -> bytes:
        """Return the counters of all workers in Prometheus's text format."""
        registry = CollectorRegistry()
        registry.register(_Collector([self._own, *self._siblings()]))
        return generate_latest(registry)

    def _siblings(self) -> Iterator[_Copy]:
        for path in sorted(self._folder.glob("*.json")):
            with suppress(FileNotFoundError, msgspec.MsgspecError):
                copy = msgspec.json.decode(path.read_bytes(), type=_Copy)
                if copy.worker == self._own.worker:
                    continue
                if _runs(copy.process):
                    yield copy
                else:
                    path.unlink(missing_ok=True)


class _Collector:
    def __init__(self, copies: Iterable[_Copy]) -> None:
        self._copies = copies

    def collect(self) -> Iterator[Metric]:
        """Return the families."""
        labels = ["model", "worker"]
        answers = CounterMetricFamily(
            "interlock_predict_requests",
            "Prediction requests by the status of their answer",
            labels=[*labels, "status"],
        )
        rows = CounterMetricFamily("interlock_predict_rows", "Rows answered", labels=labels)
        logged = CounterMetricFamily("interlock_prediction_log_rows", "Rows in the prediction log", labels=labels)
        dropped = CounterMetricFamily(
            "interlock_prediction_log_dropped", "Rows that the prediction log had no room for", labels=labels
        )
        seconds = HistogramMetricFamily(
            "interlock_predict_seconds", "From a request's headers to its answer", labels=labels
        )
        for copy in self._copies:
            for model, counts in copy.models.items():
                for status, number in counts.answers.items():
                    answers.add_metric([model, copy.worker, str(status)], number)
                rows.add_metric([model, copy.worker], counts.rows)
                logged.add_metric([model, copy.worker], counts.logged)
                dropped.add_metric([model, copy.worker], counts.dropped)
                seconds.add_metric([model, copy.worker], _cumulated(counts.buckets), counts.seconds)
        yield from (answers, rows, logged, dropped, seconds)


def _cumulated(buckets: list[int]) -> list[tuple[str, float]]:
    sums = [sum(buckets[: place + 1]) for place in range(len(buckets))]
    return list(zip([*(str(bound) for bound in BOUNDS), "+Inf"], sums, strict=True))


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
