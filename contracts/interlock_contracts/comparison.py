"""Two versions of one model side by side, as the registry compares them over REST."""

from typing import Any, Literal

from interlock_contracts.gate import Better
from interlock_contracts.http import Body, VersionView
from interlock_contracts.refs import Sha256


class ComparedMetric(Body):
    """One metric of both; ``difference`` is b minus a, ``better`` the side that is.

    Both are None where the two numbers say nothing about each other, or one of them is not defined.
    """

    metric: str
    a: float | None = None
    b: float | None = None
    direction: Better | None = None
    difference: float | None = None
    better: Literal["a", "b", "equal"] | None = None


class MeasuredTogether(ComparedMetric):
    """The metric by which the gate compared both on the rows of ``holdout_of``, as it judged that version.

    ``gain`` is how much better that version is, whatever the metric's direction, and ``lower`` the lower bound of its
    one-sided confidence interval. ``metrics`` are all metrics of both on these rows; an older gate kept only the one.
    """

    holdout_of: int
    rows: int
    gain: float | None = None
    lower: float | None = None
    metrics: list[ComparedMetric] = []


class Difference(Body):
    """One thing that is not the same; a side that has none is None."""

    name: str
    a: Any = None
    b: Any = None


class ComparedDatasets(Body):
    """The files that only one was trained on, and those that both were."""

    only_a: list[Sha256] = []
    only_b: list[Sha256] = []
    both: list[Sha256] = []


class ComparisonView(Body):
    """Two versions of a model: what was measured, and in what they differ.

    Metrics are ``comparable`` where both versions were measured on the same held-out rows for the same target; ``note``
    says why they are, or are not. ``measured_together`` is the gate's own comparison, where it made one of these two;
    it holds also where the metrics are not comparable.
    """

    model: str
    a: VersionView
    b: VersionView
    comparable: bool
    note: str
    metrics: list[ComparedMetric] = []
    measured_together: MeasuredTogether | None = None
    datasets: ComparedDatasets
    parameters: list[Difference] = []
    pipeline: list[Difference] = []
    environment: list[Difference] = []
