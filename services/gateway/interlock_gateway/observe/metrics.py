"""Metrics of predictions: latency, status and outputs, plain numbers on the hot path that become text at a scrape.

Every worker counts for itself under its own label. A scrape reaches any one of them, so each writes a copy of its
counters to a folder of the host, and the one scraped exposes all: sums over ``worker`` are true to a second.
"""

import os
import shutil
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

from interlock_gateway.observe.counts import (
    BOUNDS,
    FORGET_SECONDS,
    NO_VERSION,
    Counting,
    Counts,
    IdleVersions,
    Protocols,
    by_version,
)
from interlock_gateway.observe.output_stats import OutputDistribution, RollingOutputStats

COPY_SECONDS = 1.0
"""How old a worker's copy of its counters may be."""

UNKNOWN = ""
"""The label of all models that this worker does not serve: what clients make up is no label."""

OWN = "interlock"
"""The label of the gateway's own protocol."""

_FAILED = 500


class _Family(msgspec.Struct, array_like=True):
    """What the process has counted besides, in the form of prometheus_client."""

    name: str
    help: str
    kind: str
    samples: list[tuple[str, dict[str, str], float]]


class _Copy(msgspec.Struct):
    worker: str
    process: int
    protocols: Protocols = {}
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
            if not _is_running(int(left.name.removeprefix("metrics-"))):
                shutil.rmtree(left, ignore_errors=True)
        self._own = _Copy(worker, os.getpid(), {OWN: {}})
        self._outputs: dict[tuple[str, int], RollingOutputStats] = {}
        self._idle = IdleVersions()
        self._gauges = gauges

    def of(self, model: str, version: int = NO_VERSION, protocol: str = OWN) -> Counts:
        """Return the counters of ``model`` for requests that ``version`` was chosen for."""
        try:
            return self._own.protocols[protocol][model][version]
        except KeyError:
            versions = self._own.protocols.setdefault(protocol, {}).setdefault(model, {})
            return versions.setdefault(version, Counts())

    @contextmanager
    def counting(self, model: str, protocol: str) -> Iterator[Counting]:
        """Count the request that the block answers; it fills in the version and the rows."""
        start, status, counting = perf_counter(), _FAILED, Counting()
        try:
            yield counting
            status = 200
        except HTTPException as error:
            status = error.status_code
            raise
        except (ConnectionError, TimeoutError):
            status = 503
            raise
        finally:
            self.of(model, counting.version, protocol).count(status, counting.rows, perf_counter() - start)

    def note(self, model: str, version: int, signature: ModelSignature, scores: Scores) -> None:
        """Record the outputs of an answer, by any protocol."""
        stats = self._outputs.get((model, version))
        if stats is None:
            stats = self._outputs[model, version] = RollingOutputStats(version, signature.labels, signature.threshold)
        stats.note(scores)

    @asynccontextmanager
    async def copying(self) -> AsyncIterator[None]:
        """Write copies for the siblings while the block lasts."""
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
        self._idle.fold(self._own.protocols)
        self._own.families = [
            _Family(
                each.name, each.documentation, each.type, [(one.name, one.labels, one.value) for one in each.samples]
            )
            for each in (*counted_here(), *self._gauges())
        ]
        return self._own

    def _distributions(self) -> dict[str, list[OutputDistribution]]:
        """Return what each version has answered, and forget idle versions.

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
            found.setdefault(model, []).append(stats.distribution())
        return found

    def _siblings(self) -> Iterator[_Copy]:
        for path in sorted(self._folder.glob("*.json")):
            with suppress(FileNotFoundError, msgspec.MsgspecError):
                copy = msgspec.json.decode(path.read_bytes(), type=_Copy)
                if copy.worker == self._own.worker:
                    continue
                if _is_running(copy.process):
                    yield copy
                else:
                    path.unlink(missing_ok=True)


class _Exposition:
    """Metric families of all workers, each sample labelled with its worker; all are there from the start."""

    def __init__(self) -> None:
        self.families: dict[str, Metric] = {}
        for each in metrics.METRICS.values():
            if each.by == "gateway":
                self.family(each.name.removesuffix("_total"), each.help, each.kind)

    def add(self, declared: metrics.Metric, worker: str, labels: Sequence[str], value: float, **more: str) -> None:
        """Add one number; of a histogram, ``more`` says with ``part`` which, and with ``le`` up to where."""
        family = self.family(declared.name.removesuffix("_total"), declared.help, declared.kind)
        part = more.pop("part", "")
        sample = dict(zip(declared.labels, labels, strict=True)) | {"worker": worker} | more
        family.add_sample(declared.name + part, sample, value)

    def family(self, name: str, text: str, kind: str) -> Metric:
        """Return the family of this name."""
        return self.families.setdefault(name, Metric(name, text, kind))


def _families(copies: Iterable[_Copy]) -> Iterable[Metric]:
    exposed = _Exposition()
    for copy in copies:
        _expose_requests(exposed, copy)
        for model, distributions in copy.outputs.items():
            for each in distributions:
                _expose_outputs(exposed, copy.worker, (model, str(each.version)), each)
        for family in copy.families:
            into = exposed.family(family.name, family.help, family.kind)
            for name, labels, value in family.samples:
                into.add_sample(name, labels | {"worker": copy.worker}, value)
    return exposed.families.values()


def _expose_requests(exposed: _Exposition, copy: _Copy) -> None:
    for protocol, models in copy.protocols.items():
        for model, versions in models.items():
            _expose_counts(exposed, copy.worker, (model, protocol), Counts.sum(versions.values()))
    for (model, version), counts in by_version(copy.protocols).items():
        for status, number in counts.answers.items():
            exposed.add(metrics.PREDICT_VERSION_REQUESTS, copy.worker, (model, str(version), str(status)), number)


def _expose_outputs(exposed: _Exposition, worker: str, about: tuple[str, str], outputs: OutputDistribution) -> None:
    for quantile, value in outputs.quantiles.items():
        exposed.add(metrics.PREDICTED_QUANTILE, worker, (*about, quantile), value)
    for label, number in outputs.labels.items():
        exposed.add(metrics.PREDICTED_LABELS, worker, (*about, label), number)


def _expose_counts(exposed: _Exposition, worker: str, about: tuple[str, str], counts: Counts) -> None:
    model, protocol = about
    for status, number in counts.answers.items():
        exposed.add(metrics.PREDICT_REQUESTS, worker, (*about, str(status)), number)
    exposed.add(metrics.PREDICT_ROWS, worker, about, counts.rows)
    reached = 0
    for bound, number in zip((*map(str, BOUNDS), "+Inf"), counts.buckets, strict=True):
        reached += number
        exposed.add(metrics.PREDICT_SECONDS, worker, about, reached, part="_bucket", le=bound)
    exposed.add(metrics.PREDICT_SECONDS, worker, about, reached, part="_count")
    exposed.add(metrics.PREDICT_SECONDS, worker, about, counts.seconds, part="_sum")
    if protocol == OWN:
        exposed.add(metrics.LOG_ROWS, worker, (model,), counts.logged)
        exposed.add(metrics.LOG_DROPPED, worker, (model,), counts.dropped)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
