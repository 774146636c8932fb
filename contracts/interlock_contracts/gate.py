"""The ``gate`` section of ``pipeline.yaml``, and the metrics that a model can be measured by."""

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from interlock_contracts.data import Section
from interlock_contracts.slices import DeclaredSlice, Slice

RegressionMetric = Literal["r2", "rmse", "mae", "bias", "mape", "pinball_loss"]
ClassificationMetric = Literal[
    "accuracy",
    "f1_weighted",
    "roc_auc",
    "log_loss",
    "precision",
    "recall",
    "balanced_accuracy",
    "average_precision",
    "brier_score",
    "calibration_error",
]
MetricName = Literal[RegressionMetric, ClassificationMetric]

REGRESSION_METRICS: tuple[MetricName, ...] = get_args(RegressionMetric)
CLASSIFICATION_METRICS: tuple[MetricName, ...] = get_args(ClassificationMetric)

Better = Literal["higher", "lower", "zero"]
"""In which direction a metric is better; ``zero`` means near to zero from either side."""

DIRECTIONS: dict[MetricName, Better] = {
    "r2": "higher",
    "rmse": "lower",
    "mae": "lower",
    "bias": "zero",
    "mape": "lower",
    "pinball_loss": "lower",
    "accuracy": "higher",
    "f1_weighted": "higher",
    "roc_auc": "higher",
    "log_loss": "lower",
    "precision": "higher",
    "recall": "higher",
    "balanced_accuracy": "higher",
    "average_precision": "higher",
    "brier_score": "lower",
    "calibration_error": "lower",
}


class Threshold(Section):
    """Bounds that a metric must keep on the holdout; ``bias`` is compared as it is, sign included.

    Without ``confidence``, what was measured must lie within; with it, the metric of all such rows with so much
    confidence.
    """

    min: float | None = None
    max: float | None = None
    confidence: float | None = Field(default=None, gt=0.5, lt=1, exclude_if=lambda value: value is None)

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        return self


class Champion(Section):
    """How much better than what serves now a candidate must be, and how sure we must be of it."""

    metric: MetricName
    min_improvement: float = 0.0
    confidence: float = Field(default=0.95, gt=0.5, lt=1)


class Gate(Section):
    """What a candidate must show on the holdout before it may serve."""

    metrics: dict[MetricName, Threshold] = {}
    champion: Champion | None = None
    slices: list[DeclaredSlice] = []
    latency_p99_ms: float | None = Field(default=None, gt=0)

    @property
    def sliced(self) -> list[Slice]:
        """Return all slices in one form, a name alone as the slice by that column."""
        return [Slice(column=[each]) if isinstance(each, str) else each for each in self.slices]
