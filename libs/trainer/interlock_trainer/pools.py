"""Worker pools for fits: in this process here, on a cluster in ``ray_pool``."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from interlock_trainer.fitting import FitRequest, FitResult, fit
from interlock_trainer.folds import EncodedFold, Folds


class FitPool(Protocol):
    """Runs many fits on folds that it was given once; scores don't depend on where or in which order they ran."""

    def share(self, folds: Folds) -> None:
        """Make the folds available to all fits to come; returns once a first fit could start."""

    def run(self, requests: Sequence[FitRequest], expected_seconds: float) -> Iterator[tuple[int, FitResult]]:
        """Yield (position, result) of each request as it is done, given how long one is expected to take."""


class InProcessPool:
    """One fit after the other, here: for tests, and for machines without a cluster."""

    def __init__(self) -> None:
        self._encoded: list[EncodedFold] = []

    def share(self, folds: Folds) -> None:
        self._encoded = [folds.encoded(fold) for fold in range(len(folds.folds))]

    def run(
        self,
        requests: Sequence[FitRequest],
        expected_seconds: float,  # noqa: ARG002
    ) -> Iterator[tuple[int, FitResult]]:
        for position, request in enumerate(requests):
            yield position, fit(self._encoded[request.fold], request)
