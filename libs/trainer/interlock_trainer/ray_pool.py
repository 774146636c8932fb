"""Fits as tasks of a Ray cluster.

This module imports neither scikit-learn nor XGBoost: the job makes the pool first, and imports them itself while the
workers do.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import ray
from interlock_jobs import cluster

if TYPE_CHECKING:
    from interlock_trainer.fitting import FitRequest, FitResult
    from interlock_trainer.folds import Folds

SHORT_SECONDS = 0.2
"""Fits shorter than this share a task: handing one over costs a few milliseconds."""


class RayPool:
    """One CPU and one thread per fit, on warm workers."""

    def __init__(self, address: str, most_workers: int, **options: Any) -> None:
        """Connect, and start as many workers as there are CPUs, at most ``most_workers``."""
        workers = min(most_workers, cluster.join(address, **options))
        one_cpu: Any = ray.remote(num_cpus=1)
        warm = one_cpu(_warm)
        self._warming = [warm.remote() for _ in range(workers)]
        self._fit = one_cpu(_fit)
        self._folds: Any = None

    def share(self, folds: "Folds") -> None:
        """Put rows and folds into the object store, whence tasks map them without copying."""
        self._folds = ray.put(folds)
        ray.wait(self._warming, num_returns=1)

    def run(self, requests: Sequence["FitRequest"], expected_seconds: float) -> Iterator[tuple[int, "FitResult"]]:
        """Fit on whatever CPU is free; several short fits of one fold share a task."""
        waiting: dict[Any, list[int]] = {}
        for fold, positions in _batches(requests, expected_seconds):
            batch = [requests[position] for position in positions]
            waiting[self._fit.remote(self._folds, fold, batch)] = positions
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            yield from zip(waiting.pop(done), ray.get(done), strict=True)

    def close(self) -> None:
        """Leave the cluster."""
        ray.shutdown()


def _batches(requests: Sequence["FitRequest"], expected_seconds: float) -> Iterator[tuple[int, list[int]]]:
    size = max(1, int(SHORT_SECONDS / max(expected_seconds, 1e-3)))
    for fold in sorted({request.fold for request in requests}):
        positions = [position for position, request in enumerate(requests) if request.fold == fold]
        for start in range(0, len(positions), size):
            yield fold, positions[start : start + size]


def _fit(folds: "Folds", fold: int, requests: "list[FitRequest]") -> "list[FitResult]":
    from interlock_trainer.fitting import fit  # noqa: PLC0415 - for workers only

    encoded = folds.encoded(fold)
    return [fit(encoded, request) for request in requests]


def _warm() -> None:
    """Import what every fit needs."""
    import interlock_trainer.fitting  # noqa: F401, PLC0415 - for workers only
