"""A model's answers to the holdout, and its metrics on all rows or on some."""

from collections.abc import Iterator
from copy import copy
from typing import Any, Self

import numpy as np
import pyarrow as pa
from interlock_contracts.gate import CLASSIFICATION_METRICS, REGRESSION_METRICS, MetricName
from interlock_contracts.pipeline import Pipeline
from interlock_modeling import METRICS, Model
from interlock_modeling.signature import decide
from numpy.typing import NDArray

AT_ONCE = 4_000_000
"""Cells of the resampling matrix in memory at a time: 32 MB."""


class Measured:
    """A model's answers to the holdout, beside the truth in the model's own labels."""

    def __init__(self, model: Model, holdout: pa.Table, quantile: float | None = None) -> None:
        self.quantile = quantile
        self.signature = model.signature
        self.target = model.signature.targets(holdout)
        self.scores = model.predict_table(holdout).scores
        if not np.isfinite(self.scores).all():
            raise ValueError("the model answers some held-out rows with numbers that are not finite")
        labels, threshold = model.signature.labels, model.signature.threshold
        self.decided = None if labels is None else decide(self.scores, threshold)

    def on(self, rows: NDArray[np.bool_]) -> Self:
        """Return the same on some of the rows."""
        some = copy(self)
        some.target, some.scores = self.target[rows], self.scores[rows]
        some.decided = None if self.decided is None else self.decided[rows]
        return some

    @property
    def rarest(self) -> int | None:
        """Return how many rows the rarest label has; None for a regression."""
        labels = self.signature.labels
        return int(np.bincount(self.target[self.target >= 0], minlength=len(labels)).min()) if labels else None

    def metric(self, name: Any, rows: NDArray[np.bool_] | slice = slice(None)) -> float:
        decided = None if self.decided is None else self.decided[rows]
        return METRICS[name].at(self.quantile).value(self.target[rows], self.scores[rows], decided)


def metrics_of(pipeline: Pipeline) -> tuple[MetricName, ...]:
    """Return the metrics that the pipeline's task has."""
    if pipeline.task == "classification":
        return CLASSIFICATION_METRICS
    return tuple(
        each for each in REGRESSION_METRICS if each != "pinball_loss" or pipeline.training.quantile is not None
    )


def finite(numbers: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers with null for what is not defined on these rows; JSON has no NaN."""
    return {name: value if np.isfinite(value) else None for name, value in numbers.items()}


def resamples(rows: int, count: int, random: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Yield ``count`` bootstrap resamples of ``rows`` rows, some at a time: how often a row is drawn [some, rows]."""
    for start in range(0, count, step := max(1, AT_ONCE // rows)):
        draws = [random.integers(0, rows, rows) for _ in range(min(step, count - start))]
        yield np.stack([np.bincount(draw, minlength=rows) for draw in draws]).astype(np.float64)
