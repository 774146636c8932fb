"""The gate's report on a version: its verdict, the numbers behind it, and what is needed to draw them.

It is an artifact in the object store, and ``report`` of a version over REST. Reports of older gates lack what newer
ones add, so nothing but the verdict is required. Everything is bounded: a report of any model is read at one go.
"""

from interlock_contracts.http import Body
from interlock_contracts.refs import Sha256

MOST_POINTS = 500
"""Rows in a plot of predicted against actual."""

MOST_BINS = 30
"""Bins of a histogram."""

MOST_LABELS = 20
"""Labels in a confusion matrix; the rarer ones are counted together."""

MOST_CURVES = 10
"""Labels with a ROC curve of their own, the most frequent ones."""

MOST_CURVE_POINTS = 100
"""Points of a ROC curve."""


class GateCheck(Body):
    """One requirement, and whether it is met, in words."""

    passed: bool
    text: str


class Histogram(Body):
    """How many values lie in each bin: bin ``i`` reaches from ``edges[i]`` to ``edges[i + 1]``.

    ``below`` and ``above`` count what lies outside of all bins, so that a few far values do not hide the many.
    """

    edges: list[float]
    counts: list[int]
    below: int = 0
    above: int = 0


class GainReport(Body):
    """How much better than the champion on the same rows; positive is better whatever the metric's direction.

    ``rows`` of the holdout are compared: those that both have trained on, or neither; None in reports of before.
    ``trained_on`` of the holdout's rows were the champion's, None where it is not known. ``metrics`` are all of the
    champion's on the compared rows, None where they are not defined. ``lower`` is the lower bound
    of the one-sided confidence interval; ``resampled`` the gains of the resamples that it comes from, without the
    ``left_out`` ones in which the metric is not defined.
    """

    version: int
    rows: int | None = None
    trained_on: int | None = None
    candidate: float | None = None
    champion: float | None = None
    metrics: dict[str, float | None] = {}
    gain: float | None = None
    lower: float | None = None
    left_out: int = 0
    resampled: Histogram | None = None


class SliceReport(Body):
    """The rows whose column has one value: the candidate's metrics there, and those of the champion.

    ``interval`` holds the candidate's value of the metric that decides with the report's ``confidence``; there is none
    of few rows.
    """

    value: str
    rows: int
    metrics: dict[str, float | None] = {}
    champion: dict[str, float | None] | None = None
    interval: tuple[float, float] | None = None


class PredictedActual(Body):
    """What was predicted for what was true, in the target's unit.

    Of more than ``MOST_POINTS`` rows those at even distances in the order of the truth, least and greatest included;
    ``rows`` counts all.
    """

    rows: int
    actual: list[float]
    predicted: list[float]


class ConfusionMatrix(Body):
    """``counts[i][j]`` rows that are ``labels[i]`` were predicted as ``labels[j]``.

    ``pooled`` says how many of the rarest labels the last one stands for; ``unknown`` counts, by prediction, the rows
    whose label the model does not know.
    """

    labels: list[str]
    counts: list[list[int]]
    pooled: int = 0
    unknown: list[int] = []


class RocCurve(Body):
    """One label against all others: rates from (0, 0) to (1, 1), and the area below the whole curve."""

    label: str
    rows: int
    auc: float
    false_positive_rate: list[float]
    true_positive_rate: list[float]


class CalibrationBin(Body):
    """Rows whose predicted label had a similar probability: their mean ``confidence``, and the share that was right."""

    rows: int
    confidence: float
    accuracy: float


class Plots(Body):
    """What is drawn of the holdout: the first two of a regression, the others of a classification.

    ``calibration`` has the bins of the metric ``calibration_error`` that have rows, the least confident first.

    A residual is predicted minus actual, so that their mean is the metric ``bias``.
    """

    predicted: PredictedActual | None = None
    residuals: Histogram | None = None
    confusion: ConfusionMatrix | None = None
    roc: list[RocCurve] = []
    calibration: list[CalibrationBin] = []


class FeatureImportance(Body):
    """How much worse the metric gets with a feature shuffled: mean and standard deviation over the repeats.

    In the metric's unit; positive means worse, whatever the metric's direction, and about 0 that the feature has no use
    here.
    """

    feature: str
    mean: float
    deviation: float


class PermutationImportance(Body):
    """Importance of the features for ``metric`` on a sample of ``rows`` held-out rows, the greatest first.

    ``omitted`` counts the features that are not here, for there are too many, or the metric is not defined without.
    """

    metric: str
    rows: int
    repeats: int
    features: list[FeatureImportance]
    omitted: int = 0


class GateReport(Body):
    """What the gate measured, on ``rows`` held-out rows; without ``metrics`` it could not measure.

    ``metrics`` are None where they are not defined on these rows; ``champion`` is None for a first version, and with
    ``needs_approval``, where the champion could not be compared. ``slices`` are by column, the most frequent value
    first. ``notes`` decide nothing: the bias, and the weakest slices, in words. ``evaluation`` is the digest of the
    evaluation file that the rows are of; None where they were held out of the files that were trained on. The candidate
    has trained on ``trained_on`` of the rows, None where it is not known.
    """

    passed: bool = False
    needs_approval: bool = False
    reasons: list[str] = []
    checks: list[GateCheck] = []
    notes: list[str] = []
    rows: int = 0
    trained_on: int | None = None
    evaluation: Sha256 | None = None
    metrics: dict[str, float | None] = {}
    metric: str | None = None
    champion: GainReport | None = None
    confidence: float | None = None
    min_improvement: float | None = None
    latency_p99_ms: float | None = None
    slices: dict[str, list[SliceReport]] = {}
    plots: Plots = Plots()
    importance: PermutationImportance | None = None
