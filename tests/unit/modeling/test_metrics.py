import math
import time
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from interlock_contracts.gate import CLASSIFICATION_METRICS, REGRESSION_METRICS, MetricName
from interlock_modeling import METRICS
from interlock_modeling.signature import decide
from numpy.typing import NDArray
from sklearn import metrics as reference
from sklearn.exceptions import UndefinedMetricWarning

RNG = np.random.default_rng(11)


def regression(rows: int = 400) -> tuple[NDArray[Any], NDArray[np.float64]]:
    target = RNG.normal(1_000.0, 5.0, rows)
    return target, target + RNG.normal(1.0, 3.0, rows)


def classification(labels: int, rows: int = 400) -> tuple[NDArray[Any], NDArray[np.float64]]:
    target = RNG.integers(0, labels, rows)
    shares = RNG.gamma(1.0, size=(rows, labels)).round(1) + 0.05  # rounded, so that there are ties
    shares[np.arange(rows), target] += 0.6
    return target, shares / shares.sum(axis=1, keepdims=True)


def expected(name: MetricName, target: Any, scores: Any) -> float:
    """Return scikit-learn's value."""
    if name in REGRESSION_METRICS:
        return float(
            {
                "r2": lambda: reference.r2_score(target, scores),
                "rmse": lambda: reference.root_mean_squared_error(target, scores),
                "mae": lambda: reference.mean_absolute_error(target, scores),
                "bias": lambda: np.mean(scores - target),
                "pinball_loss": lambda: reference.mean_pinball_loss(target, scores, alpha=0.5),
                "mape": lambda: reference.mean_absolute_percentage_error(target, scores),
            }[name]()
        )
    labels = np.arange(scores.shape[1])
    best = scores.argmax(axis=1)
    of_labels = scores[:, 1] if len(labels) == 2 else scores
    average = "binary" if len(labels) == 2 else "macro"
    truth = target if len(labels) == 2 else target[:, None] == labels
    formulas: dict[str, Callable[[], Any]] = {
        "accuracy": lambda: reference.accuracy_score(target, best),
        "f1_weighted": lambda: reference.f1_score(target, best, average="weighted"),
        "log_loss": lambda: reference.log_loss(target, scores, labels=labels),
        "precision": lambda: reference.precision_score(target, best, average=average),
        "recall": lambda: reference.recall_score(target, best, average=average),
        "balanced_accuracy": lambda: reference.balanced_accuracy_score(target, best),
        "average_precision": lambda: reference.average_precision_score(truth, of_labels, average="weighted"),
        "brier_score": lambda: brier(target, scores),
        "calibration_error": lambda: calibration_error(target, scores),
        "roc_auc": lambda: reference.roc_auc_score(target, of_labels, multi_class="ovr", average="weighted"),
    }
    return float(formulas[name]())


def brier(target: Any, scores: Any) -> float:
    """Return scikit-learn's value for two labels, and for more the definition of 1950, row by row."""
    if scores.shape[1] == 2:
        return float(reference.brier_score_loss(target, scores[:, 1]))
    rows = [
        sum((p - (label == true)) ** 2 for label, p in enumerate(row)) for true, row in zip(target, scores, strict=True)
    ]
    return float(np.mean(rows))


def calibration_error(target: Any, scores: Any) -> float:
    """Return the definition, bin by bin: the paper's bins are open below and closed above."""
    total, confidence, best = 0.0, scores.max(axis=1), scores.argmax(axis=1)
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        if inside.any():
            distance = abs((best == target)[inside].mean() - confidence[inside].mean())
            total += inside.mean() * distance
    return float(total)


CASES = [
    *[(name, regression()) for name in REGRESSION_METRICS],
    *[(name, classification(k)) for name in CLASSIFICATION_METRICS for k in (2, 4)],
]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_metrics_equal_those_of_scikit_learn(name: MetricName, case: tuple[Any, Any]) -> None:
    """A score means what users know it to mean."""
    assert METRICS[name].value(*case) == pytest.approx(expected(name, *case), rel=1e-10)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_resample_is_the_metric_of_its_rows(name: MetricName, case: tuple[Any, Any]) -> None:
    """Weights count rows: the same as repeating them."""
    target, scores = case
    picked = RNG.integers(0, len(target), size=(3, len(target)))
    weights = np.array([np.bincount(rows, minlength=len(target)) for rows in picked], dtype=np.float64)

    resampled = METRICS[name].resampled(target, scores, weights)

    assert resampled == pytest.approx([expected(name, target[rows], scores[rows]) for rows in picked], rel=1e-9)


@pytest.mark.parametrize(
    ("size", "spread"), [(1e12, 1e5), (1e3, 1e-12), (1e15, 1.0), (1e9, 1.0), (-1e6, 1e-9), (0.0, 1e150)]
)
@pytest.mark.parametrize("rows", [2, 7, 300])
def test_r2_depends_neither_on_size_nor_on_unit(size: float, spread: float, rows: int) -> None:
    """A table in euros of a state's budget, or a target that differs in its last digits only, is measured as any."""
    rng = np.random.default_rng(rows)
    target = size + spread * (np.arange(rows) + rng.normal(size=rows))
    scores = target + spread * 0.3 * rng.normal(size=rows)

    assert METRICS["r2"].value(target, scores) == pytest.approx(reference.r2_score(target, scores), rel=1e-9)


@pytest.mark.parametrize(("size", "spread"), [(1e12, 1e5), (1e3, 1e-12), (1e15, 1.0), (0.0, 1e-200)])
def test_r2_of_a_resample_is_exact_to_nine_digits(size: float, spread: float) -> None:
    """Against fractions, which do not round, also where a resample's rows are nearly or wholly alike."""
    rng = np.random.default_rng(8)
    target = size + spread * rng.normal(size=60)
    target[0] += 1e4 * spread  # beside which all the others are nearly the same
    scores = target + spread * 0.3 * rng.normal(size=60)
    weights = rng.integers(0, 3, (12, 60)).astype(np.float64)
    weights[6:, 0] = 0.0

    assert METRICS["r2"].resampled(target, scores, weights) == pytest.approx(
        [exact_r2(target, scores, each) for each in weights], rel=1e-9
    )
    alone = np.zeros((2, 60))
    alone[:, 3], alone[1, 4] = 2.0, 1.0
    target[4] = target[3]
    assert METRICS["r2"].resampled(target, target, alone).tolist() == pytest.approx([math.nan, 1.0], nan_ok=True)
    assert METRICS["r2"].resampled(target, scores, alone)[1] == 0.0


def exact_r2(target: NDArray[Any], scores: NDArray[Any], weights: NDArray[Any]) -> float:
    rows = [(Fraction(y), Fraction(p), int(w)) for y, p, w in zip(target, scores, weights, strict=True) if w]
    mean = sum(y * w for y, _, w in rows) / sum(w for _, _, w in rows)
    return float(1 - sum(w * (y - p) ** 2 for y, p, w in rows) / sum(w * (y - mean) ** 2 for y, _, w in rows))


@pytest.mark.parametrize("labels", [2, 3, 6])
def test_small_and_odd_tables_are_measured_as_scikit_learn_does(labels: int) -> None:
    """Absent labels, ties, a label for all: each metric that scikit-learn has a value for, a few hundred times over."""
    rng = np.random.default_rng(labels)
    compared = dict.fromkeys(CLASSIFICATION_METRICS, 0)
    for _ in range(60):
        rows = int(rng.integers(1, 25))
        target = rng.integers(0, int(rng.integers(1, labels + 1)), rows)
        shares = rng.integers(1, 4, (rows, labels)).astype(np.float64)
        scores = shares / shares.sum(axis=1, keepdims=True)
        for name in CLASSIFICATION_METRICS:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    warnings.simplefilter("error", UndefinedMetricWarning)
                    warnings.filterwarnings("error", "No positive class found")
                    theirs = expected(name, target, scores)
            except (UserWarning, ValueError):  # it has no value, or one by decree
                continue
            if math.isfinite(theirs):
                compared[name] += 1
                assert METRICS[name].value(target, scores) == pytest.approx(theirs, rel=1e-9, abs=1e-12), name
    assert min(compared.values()) >= 3, compared


def test_every_metric_knows_which_direction_is_better() -> None:
    """A gain is positive when the candidate is better; bias counts by its distance from zero."""
    assert METRICS["r2"].gain(0.9, 0.8) == pytest.approx(0.1)
    assert METRICS["rmse"].gain(2.0, 3.0) == 1.0
    assert METRICS["bias"].gain(-1.0, 3.0) == 2.0
    assert METRICS["bias"].gain(np.array([-4.0]), np.array([3.0])).tolist() == [-1.0]


def test_a_constant_target_has_no_spread_to_explain() -> None:
    """As in scikit-learn: 1 when it is met exactly, else 0."""
    target = np.full(10, 0.1)

    assert METRICS["r2"].value(target, target) == 1.0
    assert METRICS["r2"].value(target, target + 1e-3) == 0.0


def test_r2_of_one_row_is_undefined() -> None:
    """One truth has no variance to explain; in a resample it may count several times, and is still one."""
    target, scores = np.array([3.0, 4.0]), np.array([3.0, 5.0])

    assert math.isnan(METRICS["r2"].value(target[:1], scores[:1]))
    assert math.isnan(METRICS["r2"].resampled(target, scores, np.array([[2.0, 0.0]]))[0])
    assert METRICS["r2"].value(target, scores) == -1.0


def test_a_label_that_the_model_does_not_know_counts_as_wrong() -> None:
    """Accuracy and log loss stay defined when the holdout holds a new label."""
    target = np.array([0, 1, -1])
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])

    assert METRICS["accuracy"].value(target, scores) == pytest.approx(2 / 3)
    assert METRICS["f1_weighted"].value(target, scores) < 0.7
    assert METRICS["log_loss"].value(target, scores) > 10


def test_roc_auc_of_one_class_is_not_a_number() -> None:
    """There is no pair to put in order."""
    assert np.isnan(METRICS["roc_auc"].value(np.array([1, 1]), np.array([[0.5, 0.5], [0.1, 0.9]])))


@pytest.mark.parametrize("name", list(METRICS))
def test_a_thousand_resamples_take_a_moment(name: MetricName) -> None:
    """The gate's bootstrap of 1,000 resamples over 5,000 rows stays well below a second or two."""
    case = regression(5_000) if name in REGRESSION_METRICS else classification(2, 5_000)
    weights = RNG.multinomial(5_000, np.full(5_000, 1 / 5_000), size=1_000).astype(np.float64)

    started = time.process_time()
    METRICS[name].resampled(*case, weights)

    assert time.process_time() - started < 5


def test_what_cannot_be_said_of_some_rows_is_not_a_number() -> None:
    """A share of nothing is neither 0 nor infinite."""
    zero, one = np.array([0.0, 2.0]), np.array([1.0, 2.0])
    assert math.isnan(METRICS["mape"].value(zero, one))
    assert METRICS["mape"].resampled(zero, one, np.array([[0.0, 2.0]])).tolist() == [0.0]

    negatives, scores = np.array([0, 0]), np.array([[0.9, 0.1], [0.2, 0.8]])
    assert math.isnan(METRICS["recall"].value(negatives, scores))
    assert math.isnan(METRICS["average_precision"].value(negatives, scores))
    assert METRICS["precision"].value(negatives, scores) == 0.0
    assert METRICS["precision"].value(negatives, scores[[0, 0]]) == 0.0, "nothing is predicted positive"


def test_a_label_that_the_model_does_not_know_counts_against_it() -> None:
    """It is a miss of every formula that takes all rows."""
    known, scores = np.array([0, 1]), np.array([[1.0, 0.0], [0.0, 1.0]])
    for name, perfect in (("brier_score", 0.0), ("calibration_error", 0.0), ("balanced_accuracy", 1.0)):
        assert METRICS[name].value(known, scores) == perfect  # type: ignore[index]
        assert METRICS[name].gain(METRICS[name].value(np.array([0, -1]), scores), perfect) < 0  # type: ignore[index]


def test_predicted_labels_count_where_a_metric_counts_labels() -> None:
    """By a threshold, for instance, as scikit-learn counts them; metrics of probabilities stay what they are."""
    target, scores = classification(2)
    decided = decide(scores, 0.2)
    formulas = {
        "accuracy": reference.accuracy_score,
        "precision": reference.precision_score,
        "recall": reference.recall_score,
        "balanced_accuracy": reference.balanced_accuracy_score,
        "f1_weighted": lambda truth, said: reference.f1_score(truth, said, average="weighted"),
    }
    for name in CLASSIFICATION_METRICS:
        found, plain = METRICS[name].value(target, scores, decided), METRICS[name].value(target, scores)
        if name in formulas:
            assert found == pytest.approx(formulas[name](target, decided))
            assert found != plain
        else:
            assert found == plain


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.9])
def test_the_pinball_loss_is_at_its_quantile(quantile: float) -> None:
    """As scikit-learn has it; any other metric knows no quantiles."""
    target, scores = regression()
    loss = METRICS["pinball_loss"].at(quantile)

    assert loss.value(target, scores) == pytest.approx(reference.mean_pinball_loss(target, scores, alpha=quantile))
    assert loss.gain(1.0, 3.0) == 2.0
    assert METRICS["rmse"].at(quantile) is METRICS["rmse"]
    assert METRICS["pinball_loss"].at(None) is METRICS["pinball_loss"]
