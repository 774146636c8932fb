"""What the report holds to be drawn: true to the rows, and small however many there are."""

import numpy as np
import pytest
from interlock_contracts.report import MOST_BINS, MOST_CURVE_POINTS, MOST_CURVES, MOST_LABELS, MOST_POINTS, Plots
from interlock_evaluation_gate.plots import confusion, histogram, plots, predicted_actual, roc
from interlock_modeling import METRICS

from tests.support.stored_models import CLASSIFICATION, REGRESSION

RANDOM = np.random.default_rng(0)


def test_a_regression_is_drawn_by_points_and_residuals() -> None:
    """All rows are in the histogram; what is no histogram's and no point's is left to a classification."""
    target = RANDOM.normal(size=10_000)
    drawn = plots(REGRESSION, target, target + 1.0 + RANDOM.normal(size=10_000))

    assert drawn.predicted
    assert drawn.residuals
    assert drawn.predicted.rows == 10_000
    residuals = drawn.residuals
    assert sum(residuals.counts) + residuals.below + residuals.above == 10_000
    middle = np.array(residuals.edges[:-1]) + np.diff(residuals.edges) / 2
    assert np.average(middle, weights=residuals.counts) == pytest.approx(1.0, abs=0.1)
    assert drawn.confusion is None
    assert not drawn.roc


def test_points_are_as_spread_as_the_truth_and_keep_its_ends() -> None:
    """A plot of five hundred points shows the same distribution as that of all rows, from the least to the greatest."""
    actual = RANDOM.exponential(size=20_000)
    drawn = predicted_actual(actual, actual * 2)

    assert len(drawn.actual) == len(drawn.predicted) == MOST_POINTS
    assert drawn.actual[0] == pytest.approx(actual.min(), rel=1e-5)
    assert drawn.actual[-1] == pytest.approx(actual.max(), rel=1e-5)
    assert np.median(drawn.actual) == pytest.approx(np.median(actual), rel=0.02)
    assert np.allclose(drawn.predicted, np.array(drawn.actual) * 2, rtol=1e-5)


def test_one_far_value_does_not_hide_the_many() -> None:
    """It is counted outside of the bins."""
    drawn = histogram(np.append(RANDOM.normal(size=9_999), 1e9))

    assert drawn is not None
    assert len(drawn.counts) == MOST_BINS
    assert drawn.edges[-1] < 10
    assert drawn.above >= 1


@pytest.mark.parametrize("values", [[0.0], [7.0] * 50, [1e300] * 3])
def test_equal_values_fill_one_bin(values: list[float]) -> None:
    """A model without any error has a histogram, too."""
    drawn = histogram(np.array(values))

    assert drawn is not None
    assert max(drawn.counts) == len(values)


@pytest.mark.parametrize("values", [[-1.7e308, 1.7e308], [np.inf, np.inf], [1.0, np.nan]])
def test_what_cannot_be_drawn_is_left_out(values: list[float]) -> None:
    """Numbers that no bins can tell apart refuse no candidate."""
    assert histogram(np.array(values)) is None


def test_the_confusion_matrix_counts_every_row_once() -> None:
    """Rows of labels that the model has never seen stand beside it."""
    drawn = confusion(["a", "b"], np.array([0, 0, 1, 1, -1]), np.array([0, 1, 1, 1, 0]))

    assert drawn.counts == [[1, 1], [0, 2]]
    assert drawn.unknown == [1, 0]
    assert drawn.pooled == 0


def test_rare_labels_of_many_are_one() -> None:
    """The matrix stays readable, and no row is lost."""
    target = np.concatenate([np.arange(200), np.repeat(np.arange(10, 29), 5), [-1]])
    said = RANDOM.integers(0, 200, len(target))
    drawn = confusion([f"label {place}" for place in range(200)], target, said)

    assert len(drawn.labels) == MOST_LABELS
    assert drawn.labels[:2] == ["label 10", "label 11"]
    assert drawn.labels[-1] == "181 others"
    assert drawn.pooled == 181
    assert np.sum(drawn.counts) + sum(drawn.unknown) == len(target)


def test_the_area_below_the_curve_is_the_metric() -> None:
    """Ties count half in both, and thinning the curve changes the number not at all."""
    target = RANDOM.integers(0, 2, 5_000)
    chance = np.clip(np.round(target * 0.2 + RANDOM.random(5_000) * 0.8, 2), 0, 1)
    scores = np.stack([1 - chance, chance], axis=1)
    (curve,) = roc(["no", "yes"], target, scores)

    assert curve.label == "yes"
    assert curve.auc == pytest.approx(METRICS["roc_auc"].value(target, scores))
    assert len(curve.true_positive_rate) <= MOST_CURVE_POINTS
    assert (curve.false_positive_rate[0], curve.true_positive_rate[0]) == (0.0, 0.0)
    assert (curve.false_positive_rate[-1], curve.true_positive_rate[-1]) == (1.0, 1.0)
    assert np.trapezoid(curve.true_positive_rate, curve.false_positive_rate) == pytest.approx(curve.auc, abs=0.01)


def test_of_many_labels_the_most_frequent_have_curves() -> None:
    """A label that no row has, or all have, cannot have one."""
    target = np.sort(RANDOM.integers(0, 30, 3_000))
    target[target == 3] = 4
    scores = RANDOM.dirichlet(np.ones(30), 3_000)
    drawn = roc([str(place) for place in range(30)], target, scores)

    assert len(drawn) == MOST_CURVES
    assert drawn[0].label == "4"
    assert not roc(["no", "yes"], np.ones(5, dtype=int), scores[:5, :2])


def test_the_bins_of_the_calibration_are_those_of_the_metric() -> None:
    """Their mean distance, weighted by rows, is the calibration error; empty ones are left out."""
    target = RANDOM.integers(0, 3, 2_000)
    scores = RANDOM.dirichlet(np.ones(3) * 4, 2_000)
    bins = plots(CLASSIFICATION.model_copy(update={"labels": ["a", "b", "c"]}), target, scores).calibration

    assert sum(each.rows for each in bins) == 2_000
    assert all(each.rows for each in bins)
    assert [each.confidence for each in bins] == sorted(each.confidence for each in bins)
    distance = sum(each.rows * abs(each.accuracy - each.confidence) for each in bins) / 2_000
    assert distance == pytest.approx(METRICS["calibration_error"].value(target, scores))


def test_a_report_is_small_whatever_the_model() -> None:
    """Two hundred labels and a hundred thousand rows are less than 40 kB of JSON."""
    labels = CLASSIFICATION.model_copy(update={"labels": [f"label {place}" for place in range(200)]})
    scores = RANDOM.random((100_000, 200))
    many: Plots = plots(labels, RANDOM.integers(0, 200, 100_000), scores)
    wide = plots(REGRESSION, RANDOM.normal(size=100_000) * 1e-7, RANDOM.normal(size=100_000) * 1e-7)

    assert len(many.model_dump_json()) < 40_000
    assert len(wide.model_dump_json()) < 40_000
