"""The ``gate`` section of ``pipeline.yaml``, and the metrics that a model can be measured by."""

from typing import Literal, Self, get_args

from pydantic import Field, FiniteFloat, model_validator

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


On = Literal["raw", "log1p", "clip"]

CLIPPED_REGRESSION: tuple[MetricName, ...] = ("r2", "rmse", "mae", "pinball_loss")
"""The metrics of a regression that can be compared on another scale than the target's."""


class Champion(Section):
    """How much better than what serves now a candidate must be, and how sure we must be of it.

    ``on`` is what both are compared on: truth and answers as they are, their ``log1p``, or clipped to ``clip``, in the
    target's unit (of ``log_loss``, the probabilities). With ``clip`` no row can weigh more than so much.
    """

    metric: MetricName
    on: On = Field(default="raw", exclude_if=lambda value: value == "raw")
    clip: tuple[FiniteFloat, FiniteFloat] | None = Field(default=None, exclude_if=lambda value: value is None)
    min_improvement: float = 0.0
    confidence: float = Field(default=0.95, gt=0.5, lt=1)

    @property
    def bounded(self) -> bool:
        """Return whether one row can change the metric by so much at most, whatever it holds."""
        return self.clip is not None or self.metric in ("accuracy", "brier_score")

    @model_validator(mode="after")
    def _is_measured_on_what_it_has(self) -> Self:
        if self.on == "raw":
            if self.clip is not None:
                raise ValueError("clip needs `on: clip`, or `on: log1p`")
            return self
        if self.on == "clip" and self.clip is None:
            raise ValueError("on: clip needs clip: [low, high]")
        if self.metric not in (*CLIPPED_REGRESSION, "log_loss") or (self.metric == "log_loss" and self.on == "log1p"):
            able = ", ".join((*CLIPPED_REGRESSION, "log_loss") if self.on == "clip" else CLIPPED_REGRESSION)
            raise ValueError(f"on: {self.on} is for {able}; {self.metric} is measured on raw")
        if self.clip is not None:
            _require_range(self.clip, probability=self.metric == "log_loss", log1p=self.on == "log1p")
        return self


def _require_range(clip: tuple[float, float], *, probability: bool, log1p: bool) -> None:
    low, high = clip
    if low >= high:
        raise ValueError(f"clip: [{low:g}, {high:g}] must rise")
    if probability and not 0 < low < high <= 1:
        raise ValueError(f"clip: of log_loss it bounds probabilities, above 0 and up to 1; got [{low:g}, {high:g}]")
    if log1p and low <= -1:
        raise ValueError(f"clip: log1p needs numbers above -1; got {low:g}")


MIN_HOLDOUT_ROWS = 10


class Gate(Section):
    """What a candidate must show on the holdout before it may serve.

    Of fewer held-out rows than ``min_holdout_rows``, or fewer of the rarest label than ``min_holdout_positives``,
    nothing is concluded: the candidate is refused. Without the latter, two labels need 5, and more of them none.
    """

    metrics: dict[MetricName, Threshold] = {}
    champion: Champion | None = None
    slices: list[DeclaredSlice] = []
    latency_p99_ms: float | None = Field(default=None, gt=0)
    min_holdout_rows: int = Field(default=MIN_HOLDOUT_ROWS, ge=1, exclude_if=lambda value: value == MIN_HOLDOUT_ROWS)
    min_holdout_positives: int | None = Field(default=None, ge=0, exclude_if=lambda value: value is None)

    @property
    def sliced(self) -> list[Slice]:
        """Return all slices in one form, a name alone as the slice by that column."""
        return [Slice(column=[each]) if isinstance(each, str) else each for each in self.slices]
