"""One fit: the unit of work that is spread over the cluster."""

import time
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from interlock_contracts.pipeline import Candidate, MetricName
from interlock_modeling import METRICS
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from interlock_trainer.folds import EncodedFold
from interlock_trainer.kinds import KINDS

Task = Literal["regression", "classification"]


@dataclass(frozen=True)
class FitRequest:
    """What to fit, and on which fold."""

    candidate: Candidate
    task: Task
    params: dict[str, Any]
    seed: int
    metric: MetricName
    fold: int


@dataclass(frozen=True)
class FitResult:
    """The score on the fold's held-back rows, or why there is none; ``seconds`` of fitting and predicting."""

    score: float | None
    seconds: float
    error: str | None = None


def fit(fold: EncodedFold, request: FitRequest) -> FitResult:
    """Fit on the fold's training rows with a single thread, and score the others; a failing fit is a result, too."""
    started = time.perf_counter()
    try:
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "did not converge" shows in the score
            estimator = KINDS[request.candidate].estimator(request.task, request.params, request.seed)
            estimator.fit(fold.fit_matrix, fold.fit_targets)
            scores = scores_of(estimator, fold.score_matrix, request.task)
            value = METRICS[request.metric].value(fold.score_targets, scores)
    except Exception as error:  # noqa: BLE001 - a trial may fail in whatever way its library has
        return FitResult(None, time.perf_counter() - started, f"{type(error).__name__}: {error}"[:500])
    seconds = time.perf_counter() - started
    if not np.isfinite(value):
        return FitResult(None, seconds, f"{request.metric} is not a finite number on this fold")
    return FitResult(value, seconds)


def scores_of(estimator: Any, features: Any, task: Task) -> NDArray[np.float64]:
    """Return what metrics take: predictions [n], or probabilities [n, k]."""
    scores = estimator.predict(features) if task == "regression" else estimator.predict_proba(features)
    return np.asarray(scores, dtype=np.float64)
