"""One fit: the unit of work that is spread over the cluster."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from interlock_contracts.candidates import Candidate
from interlock_contracts.gate import MetricName
from interlock_contracts.pipeline import Transform
from interlock_modeling import METRICS
from interlock_modeling.signature import decide
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from interlock_trainer.folds import EncodedFold
from interlock_trainer.kinds import KINDS
from interlock_trainer.target import on_target

Task = Literal["regression", "classification"]


@dataclass(frozen=True)
class FitRequest:
    """What to fit, and on which fold; on a ``share`` of its training rows, or on all."""

    candidate: Candidate
    task: Task
    params: dict[str, Any]
    seed: int
    metric: MetricName
    fold: int
    transform: Transform | None = None
    threshold: float | None = None
    quantile: float | None = None
    keep_scores: bool = False
    share: float | None = None


@dataclass(frozen=True)
class FitResult:
    """The score on the fold's held-back rows, or why there is none; ``seconds`` of fitting and predicting.

    ``scores`` are the answers on those rows, where they were asked for: predictions [n], or probabilities [n, k].
    ``started_ns`` is when it began, in nanoseconds since 1970 by the clock of the machine that fitted.
    """

    score: float | None
    seconds: float
    error: str | None = None
    started_ns: int = field(default_factory=time.time_ns, compare=False)
    scores: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)


def fit(fold: EncodedFold, request: FitRequest) -> FitResult:
    """Fit on the fold's training rows with a single thread, and score the others; a failing fit is a result, too."""
    started, clock = time.perf_counter(), time.time_ns()
    if request.share is not None:
        fold = _part(fold, request.share, request.seed)
    try:
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "did not converge" shows in the score
            kind = KINDS[request.candidate]
            held = kind.held_to(fold.directions, request.task, request.params, request.seed, request.quantile)
            estimator = on_target(held, request.transform)
            estimator.fit(fold.fit_matrix, fold.fit_targets, sample_weight=fold.fit_weights)
            scores = scores_of(estimator, fold.score_matrix, request.task)
            metric = METRICS[request.metric].at(request.quantile)
            decided = None if request.threshold is None else decide(scores, request.threshold)
            value = metric.value(fold.score_targets, scores, decided)
    except Exception as error:  # noqa: BLE001 - a trial may fail in whatever way its library has
        return FitResult(None, time.perf_counter() - started, f"{type(error).__name__}: {error}"[:500], clock)
    seconds = time.perf_counter() - started
    if not np.isfinite(value):
        return FitResult(
            None,
            seconds,
            f"{metric.name} is undefined on a fold: {metric.undefined or 'an answer is not finite'}",
            clock,
        )
    return FitResult(value, seconds, None, clock, scores if request.keep_scores else None)


def _part(fold: EncodedFold, share: float, seed: int) -> EncodedFold:
    """Return the fold with a ``share`` of its training rows, at least one; a smaller share is part of a greater one."""
    rows = len(fold.fit_targets)
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[: max(1, round(share * rows))])
    return replace(
        fold,
        fit_matrix=fold.fit_matrix[chosen],
        fit_targets=fold.fit_targets[chosen],
        fit_weights=None if fold.fit_weights is None else fold.fit_weights[chosen],
    )


def span_of(fits: Sequence[FitResult]) -> tuple[int, int]:
    """Return when the first of these fits began and the last one ended, in nanoseconds since 1970."""
    return min(fit.started_ns for fit in fits), max(fit.started_ns + int(fit.seconds * 1e9) for fit in fits)


def scores_of(estimator: Any, features: Any, task: Task) -> NDArray[np.float64]:
    """Return what metrics take: predictions [n], or probabilities [n, k]."""
    scores = estimator.predict(features) if task == "regression" else estimator.predict_proba(features)
    return np.asarray(scores, dtype=np.float64)
