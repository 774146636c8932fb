"""What predictions cost, how they end and what they say: plain numbers on the way, made into text when asked for.

Every worker counts for itself under its own label. A scrape reaches any one of them, so each leaves a copy of its
counters in a folder of the host, and whoever is asked answers for all: sums over ``worker`` are true to a second.
"""

import os
import shutil
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from time import monotonic, perf_counter

import msgspec
from interlock_contracts import metrics
from interlock_modeling.answer import Scores
from interlock_modeling.signature import ModelSignature
from interlock_runtime.metrics import counted_here
from interlock_runtime.process import run_periodically
from litestar.exceptions import HTTPException
from prometheus_client.core import Metric

from interlock_gateway.observe.output_stats import OutputDistribution, RollingOutputStats

BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0)
"""Upper bounds of the histogram, in seconds."""

COPY_SECONDS = 1.0
"""How old a worker's copy of its counters may be."""

FORGET_SECONDS = 60.0
"""After so long without an answer, while another version of the model answers, a version's outputs are forgotten."""

UNKNOWN = ""
"""The label of all models that this worker does not serve: what clients make up is no label."""

OWN = "interlock"
"""The label of the gateway's own protocol."""

_FAILED = 500


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


class _Family(msgspec.Struct, array_like=True):
    """What the process has counted besides, in the form of prometheus_client."""

    name: str
    help: str
    kind: str
    samples: list[tuple[str, dict[str, str], float]]


class _Copy(msgspec.Struct):
    worker: str
    process: int
    protocols: dict[str, dict[str, Counts]] = {}
    outputs: dict[str, list[OutputDistribution]] = {}
    families: list[_Family] = []


class Metrics:
    """The counters of one worker, and the copies of its siblings': those of the same parent, below ``folder``.

    ``gauges`` gives what is so now, whatever has happened.
    """

    def __init__(self, worker: str, folder: Path, *, gauges: Callable[[], Iterable[Metric]] = tuple) -> None:
        self._folder = folder / f"metrics-{os.getppid()}"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in folder.glob("metrics-*"):
            if not _runs(int(left.name.removeprefix("metrics-"))):
                shutil.rmtree(left, ignore_errors=True)
        self._own = _Copy(worker, os.getpid(), {OWN: {}})
        self._outputs: dict[tuple[str, int], RollingOutputStats] = {}
        self._gauges = gauges

    def of(self, model: str, protocol: str = OWN) -> Counts:
        """Return the counters of ``model``."""
        models = self._own.protocols.get(protocol)
        if models is None:
            models = self._own.protocols[protocol] = {}
        counts = models.get(model)
        if counts is None:
            counts = models[model] = Counts()
        return counts

    @contextmanager
    def counting(self, model: str, protocol: str) -> Iterator[list[int]]:
        """Count the request that the block answers; it adds how many rows it has answered to the list."""
        start, status, rows = perf_counter(), _FAILED, list[int]()
        try:
            yield rows
            status = 200
        except HTTPException as error:
            status = error.status_code
            raise
        except (ConnectionError, TimeoutError):
            status = 503
            raise
        finally:
            self.of(model, protocol).count(status, sum(rows), perf_counter() - start)

    def note(self, model: str, version: int, signature: ModelSignature, scores: Scores) -> None:
        """Note what was answered, by any protocol."""
        stats = self._outputs.get((model, version))
        if stats is None:
            stats = self._outputs[model, version] = RollingOutputStats(version, signature.labels)
        stats.note(scores)

    @asynccontextmanager
    async def copying(self) -> AsyncIterator[None]:
        """Leave copies for the siblings while the block lasts."""
        path = self._folder / f"{self._own.worker}.json"

        async def copy() -> None:
            partial = path.with_suffix(".partial")
            partial.write_bytes(msgspec.json.encode(self._now()))
            partial.replace(path)

        async with run_periodically(copy, seconds=COPY_SECONDS):
            yield
        path.unlink(missing_ok=True)

    def families(self) -> list[Metric]:
        """Return what all workers of the host have counted."""
        return list(_families([self._now(), *self._siblings()]))

    def _now(self) -> _Copy:
        """Return our own copy, up to date."""
        self._own.outputs = self._distributions()
        self._own.families = [
            _Family(
                each.name, each.documentation, each.type, [(one.name, one.labels, one.value) for one in each.samples]
            )
            for each in (*counted_here(), *self._gauges())
        ]
        return self._own

    def _distributions(self) -> dict[str, list[OutputDistribution]]:
        """Return what each version has answered, and forget versions that have answered nothing for a while.

        Several versions of a model may answer in turn; the one that answered last is kept however long that is ago.
        """
        now, last = monotonic(), dict[str, float]()
        for (model, _), stats in self._outputs.items():
            last[model] = max(last.get(model, 0.0), stats.seen(now))
        self._outputs = {
            (model, version): stats
            for (model, version), stats in self._outputs.items()
            if stats.seen(now) > last[model] - FORGET_SECONDS
        }
        found: dict[str, list[OutputDistribution]] = {}
        for (model, _), stats in self._outputs.items():
            found.setdefault(model, []).append(stats.spread())
        return found

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


class _Told:
    """Families that several workers fill, each under its own label; who asks finds all of them from the start."""

    def __init__(self) -> None:
        self.families: dict[str, Metric] = {}
        for each in metrics.METRICS.values():
            if each.by == "gateway":
                self.family(each.name.removesuffix("_total"), each.help, each.kind)

    def add(self, declared: metrics.Metric, worker: str, labels: Sequence[str], value: float, **more: str) -> None:
        """Add one number; of a histogram, ``more`` says with ``part`` which, and with ``le`` up to where."""
        family = self.family(declared.name.removesuffix("_total"), declared.help, declared.kind)
        part = more.pop("part", "")
        told = dict(zip(declared.labels, labels, strict=True)) | {"worker": worker} | more
        family.add_sample(declared.name + part, told, value)

    def family(self, name: str, text: str, kind: str) -> Metric:
        """Return the family of this name."""
        return self.families.setdefault(name, Metric(name, text, kind))


def _families(copies: Iterable[_Copy]) -> Iterable[Metric]:
    told = _Told()
    for copy in copies:
        for protocol, models in copy.protocols.items():
            for model, counts in models.items():
                _tell_counts(told, copy.worker, (model, protocol), counts)
        for model, distributions in copy.outputs.items():
            for each in distributions:
                _tell_outputs(told, copy.worker, (model, str(each.version)), each)
        for family in copy.families:
            into = told.family(family.name, family.help, family.kind)
            for name, labels, value in family.samples:
                into.add_sample(name, labels | {"worker": copy.worker}, value)
    return told.families.values()


def _tell_outputs(told: _Told, worker: str, about: tuple[str, str], outputs: OutputDistribution) -> None:
    for quantile, value in outputs.quantiles.items():
        told.add(metrics.PREDICTED_QUANTILE, worker, (*about, quantile), value)
    for label, number in outputs.labels.items():
        told.add(metrics.PREDICTED_LABELS, worker, (*about, label), number)


def _tell_counts(told: _Told, worker: str, about: tuple[str, str], counts: Counts) -> None:
    model, protocol = about
    for status, number in counts.answers.items():
        told.add(metrics.PREDICT_REQUESTS, worker, (*about, str(status)), number)
    told.add(metrics.PREDICT_ROWS, worker, about, counts.rows)
    reached = 0
    for bound, number in zip((*map(str, BOUNDS), "+Inf"), counts.buckets, strict=True):
        reached += number
        told.add(metrics.PREDICT_SECONDS, worker, about, reached, part="_bucket", le=bound)
    told.add(metrics.PREDICT_SECONDS, worker, about, reached, part="_count")
    told.add(metrics.PREDICT_SECONDS, worker, about, counts.seconds, part="_sum")
    if protocol == OWN:
        told.add(metrics.LOG_ROWS, worker, (model,), counts.logged)
        told.add(metrics.LOG_DROPPED, worker, (model,), counts.dropped)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
