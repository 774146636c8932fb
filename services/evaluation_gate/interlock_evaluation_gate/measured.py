"""A model's answers to the holdout, and its metrics on all rows or on some."""

from copy import copy
from typing import Any, Self

import numpy as np
import pyarrow as pa
from interlock_contracts.gate import CLASSIFICATION_METRICS, REGRESSION_METRICS, Champion, MetricName
from interlock_contracts.pipeline import Pipeline
from interlock_modeling import METRICS, Model
from interlock_modeling.signature import decide
from numpy.typing import NDArray

_AT_ONCE = 65_536
"""Rows that are encoded and answered at once: an encoded row is wider than a stored one."""


class Measured:
    """A model's answers to the holdout, beside the truth in the model's own labels."""

    def __init__(self, model: Model, holdout: pa.Table, quantile: float | None = None) -> None:
        self.quantile = quantile
        self.signature = model.signature
        self.target = model.signature.targets(holdout)
        parts = [holdout.slice(start, _AT_ONCE) for start in range(0, holdout.num_rows, _AT_ONCE)]
        self.scores = np.concatenate([model.predict_table(part).scores for part in parts])
        if not np.isfinite(self.scores).all():
            raise ValueError("the model answers some held-out rows with numbers that are not finite")
        labels, threshold = model.signature.labels, model.signature.threshold
        self.decided = None if labels is None else decide(self.scores, threshold)

    def on(self, rows: NDArray[Any] | slice) -> Self:
        """Return the same on some of the rows, given by a mask or by their places."""
        some = copy(self)
        some.target, some.scores = self.target[rows], self.scores[rows]
        some.decided = None if self.decided is None else self.decided[rows]
        return some

    @property
    def rarest(self) -> int | None:
        """Return how many rows the rarest label has; None for a regression."""
        labels = self.signature.labels
        return int(np.bincount(self.target[self.target >= 0], minlength=len(labels)).min()) if labels else None

    def metric(self, name: Any) -> float:
        return METRICS[name].at(self.quantile).value(self.target, self.scores, self.decided)


def metrics_of(pipeline: Pipeline) -> tuple[MetricName, ...]:
    """Return the metrics that the pipeline's task has."""
    if pipeline.task == "classification":
        return CLASSIFICATION_METRICS
    return tuple(
        each for each in REGRESSION_METRICS if each != "pinball_loss" or pipeline.training.quantile is not None
    )


def on_scale(rule: Champion, measured: Measured) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return truth and answers on what the rule compares them on.

    Raises:
        ValueError: they have no logarithm.
    """
    target: NDArray[Any] = measured.target
    scores = measured.scores
    if rule.on == "raw":
        return target, scores
    if rule.metric == "log_loss":
        assert rule.clip is not None, "checked by the contract"
        return target, np.clip(scores, *rule.clip)
    if rule.clip is not None:
        target, scores = np.clip(target, *rule.clip), np.clip(scores, *rule.clip)
    if rule.on == "log1p":
        if (least := float(target.min())) <= -1:
            raise ValueError(f"gate.champion.on: log1p needs targets above -1; one held-out row has {least:g}")
        target, scores = np.log1p(target), np.log1p(np.maximum(scores, least))
    return target, scores


def finite(numbers: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers with null for what is not defined on these rows; JSON has no NaN."""
    return {name: value if np.isfinite(value) else None for name, value in numbers.items()}
