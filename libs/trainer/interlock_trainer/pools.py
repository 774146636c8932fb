"""Where fits run: on a Ray cluster, or in this process."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from interlock_trainer.fitting import FitRequest, FitResult, fit
from interlock_trainer.folds import EncodedFold, Folds

SHORT_SECONDS = 0.2
"""Fits shorter than this share a task: handing one over costs a few milliseconds."""


class FitPool(Protocol):
    """Runs many fits on folds that it was given once; scores don't depend on where or in which order they ran."""

    def share(self, folds: Folds) -> None:
        """Make the folds available to all fits to come."""

    def run(self, requests: Sequence[FitRequest], expected_seconds: float) -> Iterator[tuple[int, FitResult]]:
        """Yield (position, result) of each request as it is done, given how long one is expected to take."""


class InProcessPool:
    """One fit after the other, here: for tests, and for machines without a cluster."""

    def __init__(self) -> None:
        self._encoded: list[EncodedFold] = []

    def share(self, folds: Folds) -> None:
        """Encode the folds."""
        self._encoded = [folds.encoded(fold) for fold in range(len(folds.folds))]

    def run(
        self,
        requests: Sequence[FitRequest],
        expected_seconds: float,  # noqa: ARG002
    ) -> Iterator[tuple[int, FitResult]]:
        """Fit in order."""
        for position, request in enumerate(requests):
            yield position, fit(self._encoded[request.fold], request)


class RayPool:
    """One CPU and one thread per fit, on warm tasks of a Ray cluster."""

    def __init__(self, address: str, **options: Any) -> None:
        """Connect, and have workers import what fits need while the data is being read."""
        import ray  # noqa: PLC0415 - takes half a second, and only this pool needs it

        self._ray: Any = ray
        ray.init(address=address, log_to_driver=False, **options)
        self._fit = ray.remote(num_cpus=1)(_fit_all)
        warm = ray.remote(num_cpus=1)(_warm)
        self._warming = [warm.remote() for _ in range(int(self._ray.cluster_resources().get("CPU", 1)))]
        self._folds: Any = None

    def share(self, folds: Folds) -> None:
        """Put rows and folds into the object store, whence tasks map them without copying."""
        self._folds = self._ray.put(folds)

    def run(self, requests: Sequence[FitRequest], expected_seconds: float) -> Iterator[tuple[int, FitResult]]:
        """Fit on whatever CPU is free; several short fits of one fold share a task."""
        waiting = {}
        for fold, positions in _batches(requests, expected_seconds):
            batch = [requests[position] for position in positions]
            waiting[self._fit.remote(self._folds, fold, batch)] = positions
        while waiting:
            (done,), _ = self._ray.wait(list(waiting), num_returns=1)
            yield from zip(waiting.pop(done), self._ray.get(done), strict=True)

    def close(self) -> None:
        """Leave the cluster."""
        self._ray.shutdown()


def _batches(requests: Sequence[FitRequest], expected_seconds: float) -> Iterator[tuple[int, list[int]]]:
    size = max(1, int(SHORT_SECONDS / max(expected_seconds, 1e-3)))
    for fold in sorted({request.fold for request in requests}):
        positions = [position for position, request in enumerate(requests) if request.fold == fold]
        for start in range(0, len(positions), size):
            yield fold, positions[start : start + size]


def _fit_all(folds: Folds, fold: int, requests: list[FitRequest]) -> list[FitResult]:
    encoded = folds.encoded(fold)
    return [fit(encoded, request) for request in requests]


def _warm() -> None:
    """Import this module, and with it what every fit needs."""
