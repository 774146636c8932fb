"""The bounds of a gain: what they promise holds, also where resampling the rows would not."""

from typing import Any

import numpy as np
import pytest
from interlock_contracts.gate import CLASSIFICATION_METRICS, REGRESSION_METRICS, MetricName
from interlock_evaluation_gate.bound import exceeds, lower_by_betting, lower_by_influence, student_quantile
from interlock_evaluation_gate.influence import influences
from interlock_modeling import METRICS
from numpy.typing import NDArray

ROWS = 200


def answers(metric: MetricName, labels: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    random = np.random.default_rng(1)
    if metric in REGRESSION_METRICS:
        target = random.normal(2.0, 1.0, ROWS)
        return target, target + random.normal(0.1, 0.5, ROWS)
    scores = random.dirichlet(np.ones(labels), ROWS).round(2)
    target = np.array([random.choice(labels, p=row / row.sum()) for row in scores])
    return target, scores


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("name", [*REGRESSION_METRICS, *CLASSIFICATION_METRICS])
def test_an_influence_is_what_one_row_more_does(name: MetricName, labels: int) -> None:
    """Of every metric and every row: the derivative of the metric by the row's weight."""
    metric = METRICS[name]
    target, scores = answers(name, labels)
    found = influences(metric, target, scores)
    step = 1e-6 * ROWS
    more = np.ones((ROWS, ROWS)) + step * np.eye(ROWS)
    base = metric.value(target, scores)

    assert found == pytest.approx((metric.resampled(target, scores, more) - base) / 1e-6, rel=1e-3, abs=1e-4)
    assert abs(found.mean()) < 1e-6


def test_rows_of_an_unknown_label_have_an_influence_too() -> None:
    """They count in some metrics, and not in others."""
    target, scores = answers("roc_auc", 3)
    target[:20] = -1
    for name in CLASSIFICATION_METRICS:
        more = np.ones((ROWS, ROWS)) + 1e-6 * ROWS * np.eye(ROWS)
        expected = (METRICS[name].resampled(target, scores, more) - METRICS[name].value(target, scores)) / 1e-6
        assert influences(METRICS[name], target, scores) == pytest.approx(expected, rel=1e-3, abs=1e-4), name


def null(case: str, rows: int, repeats: int) -> NDArray[np.float64]:
    """Return gains [repeats, rows] whose mean is 0: of models that are equally good over all rows there are."""
    random = np.random.default_rng(7)
    if case == "gaussian":
        return random.normal(size=(repeats, rows))
    if case == "lognormal":  # gains a little on most rows, and loses hugely on few
        lost = np.exp(random.normal(size=(repeats, rows))) - np.exp(0.5)
    else:
        lost = random.pareto(3.0, (repeats, rows)) - 0.5
    gains: NDArray[np.float64] = -lost
    return gains


@pytest.mark.parametrize("rows", [50, 1000])
@pytest.mark.parametrize("case", ["gaussian", "lognormal", "pareto"])
def test_the_error_of_the_bound_is_what_it_says(case: str, rows: int) -> None:
    """Of 2,000 holdouts of models without a gain at most 5 %, and 2 % for the noise of the count, show one."""
    found = [lower_by_influence(float(each.mean()), each - each.mean(), 0.05) for each in null(case, rows, 2000)]

    assert np.mean([each.lower > 0 for each in found]) <= 0.065
    if case != "gaussian":  # the control: the rows alone promise what they do not keep
        assert np.mean([each.plain > 0 for each in found]) > 0.07


def test_one_more_row_costs_little_where_tails_are_light() -> None:
    """A quarter more rows at most, for 1,000 Gaussian ones: the bound lies within 12 % of the plain one's distance."""
    for each in null("gaussian", 1000, 200):
        found = lower_by_influence(0.0, each - each.mean(), 0.05)
        assert found.lower > 1.25 * found.plain


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_a_bet_holds_for_any_distribution(share: float) -> None:
    """Also for the worst: mostly nothing, and now and then all."""
    random = np.random.default_rng(3)
    above = [exceeds((random.random(100) < share).astype(np.float64), share, 0.05) for _ in range(600)]

    assert np.mean(above) <= 0.075


def test_a_bet_finds_a_gain_with_little_more_than_the_rows_that_a_fixed_test_needs() -> None:
    """At the error of a claim in the ledger (0.5 %): 1.5 times the rows for which Student's test has a power of 0.8."""
    random = np.random.default_rng(4)
    gain = (student_quantile(0.995, 999) + 0.84) * 0.1 / np.sqrt(1000)
    found = [exceeds(random.normal(0.5 + gain, 0.1, 1500).clip(0, 1), 0.5, 0.005) for _ in range(200)]

    assert np.mean(found) > 0.75


def test_a_bet_finds_a_gain_on_a_quarter_more_rows_where_rows_are_many() -> None:
    """Than those for which Student's test has a power of 0.8, at the error of a look alone and of a claim."""
    for level in (0.05, 0.005):
        random = np.random.default_rng(6)
        gain = (student_quantile(1 - level, 1999) + 0.84) * 0.05 / np.sqrt(2000)
        found = [exceeds(random.normal(0.5 + gain, 0.05, 2500).clip(0, 1), 0.5, level) for _ in range(200)]
        assert np.mean(found) > 0.72


def test_a_bound_lies_where_a_mean_is_no_longer_exceeded() -> None:
    """On either side of it, and below the mean; of equal values it leaves room for the one that was not drawn."""
    values = np.random.default_rng(8).normal(0.6, 0.05, 300).clip(0, 1)
    lower = lower_by_betting(values, 0.05)

    assert 0.58 < lower < values.mean()
    assert exceeds(values, lower - 1e-6, 0.05)
    assert not exceeds(values, lower + 1e-6, 0.05)
    assert lower_by_betting(np.full(200, 0.6), 0.05) < 0.6 * (1 - 1 / 200)


def test_the_quantiles_are_those_of_student() -> None:
    """As tables have them (Abramowitz and Stegun, table 26.10)."""
    assert student_quantile(0.95, 10) == pytest.approx(1.812, abs=0.002)
    assert student_quantile(0.995, 30) == pytest.approx(2.750, abs=0.002)
    assert student_quantile(0.9995, 120) == pytest.approx(3.373, abs=0.002)


def test_a_gain_that_hangs_on_few_rows_is_no_gain() -> None:
    """One row of a thousand holds it all."""
    gains = np.full(1000, -0.001)
    gains[0] = 100.0
    found = lower_by_influence(float(gains.mean()), gains - gains.mean(), 0.05)

    assert found.lower < 0
    assert found.few > 0.99
