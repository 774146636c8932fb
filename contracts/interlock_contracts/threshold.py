"""The threshold of two labels as a pipeline file declares it: a number, or the metric that chooses one."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag

from interlock_contracts.data import Section

ThresholdMetric = Literal["f1", "f1_weighted", "balanced_accuracy", "accuracy"]
"""What a threshold may be chosen by; ``precision`` and ``recall`` alone are best where nearly nobody, or everybody, is
predicted."""

THRESHOLD_METRICS: tuple[ThresholdMetric, ...] = get_args(ThresholdMetric)


class ThresholdByMetric(Section):
    """The threshold at which ``metric`` is greatest on the folds; ``f1`` is that of the positive label."""

    metric: ThresholdMetric


def _form(value: Any) -> str:
    return "by metric" if isinstance(value, dict | ThresholdByMetric) else "number"


Threshold = Annotated[
    Annotated[float, Field(gt=0, lt=1), Tag("number")] | Annotated[ThresholdByMetric, Tag("by metric")],
    Discriminator(_form),
]
