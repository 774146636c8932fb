"""A first version has a constant to beat, and no verdict stands on a handful of rows."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from interlock_contracts.gate import CLASSIFICATION_METRICS, REGRESSION_METRICS
from interlock_contracts.pipeline import Pipeline
from interlock_evaluation_gate.baseline import against_baseline, baseline_of, enough_rows
from interlock_evaluation_gate.measured import Measured
from interlock_modeling.signature import decide
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor

from tests.unit.evaluation_gate.test_evaluation import ROWS, Bench


def pipeline(task: str = "regression", **more: Any) -> Pipeline:
    columns = {"x": {"type": "number"}, "y": {"type": "number" if task == "regression" else "category"}}
    spec = {"name": "m", "task": task, "target": "y", "data": {"columns": columns}, **more}
    return Pipeline.model_validate(spec)


def measured(
    target: NDArray[Any], scores: NDArray[Any], labels: list[str] | None = None, quantile: float | None = None
) -> Measured:
    made = Measured.__new__(Measured)
    signature: Any = SimpleNamespace(labels=labels)
    made.signature, made.target, made.scores, made.quantile = signature, target, scores, quantile
    made.decided = None if labels is None else decide(scores, None)
    return made


def numbers(noise: float, rows: int = 200) -> Measured:
    rng = np.random.default_rng(3)
    target = rng.normal(50, 5, rows)
    return measured(target, target + rng.normal(0, noise, rows))


def classes(skill: float, labels: int = 2, rows: int = 300) -> Measured:
    """Return probabilities that know the truth as far as ``skill`` goes, from 0 to 1."""
    rng = np.random.default_rng(4)
    target = rng.integers(0, labels, rows)
    scores = np.full((rows, labels), (1 - skill) / labels)
    scores[np.arange(rows), target] += skill
    return measured(target, scores, [f"label {at}" for at in range(labels)])


def test_the_baseline_is_the_dummy_of_scikit_learn() -> None:
    """Fitted on the held-out rows themselves."""
    of_numbers, of_classes = numbers(1.0), classes(0.5, 3)
    nothing = np.zeros((len(of_numbers.target), 1))

    assert np.allclose(
        baseline_of(of_numbers)[0].scores, DummyRegressor().fit(nothing, of_numbers.target).predict(nothing)
    )
    of_numbers.quantile = 0.9
    dummy = DummyRegressor(strategy="quantile", quantile=0.9).fit(nothing, of_numbers.target)
    assert np.allclose(baseline_of(of_numbers)[0].scores, dummy.predict(nothing), rtol=1e-3)
    nothing = np.zeros((len(of_classes.target), 1))
    prior = DummyClassifier(strategy="prior").fit(nothing, of_classes.target)
    baseline = baseline_of(of_classes)[0]
    assert np.allclose(baseline.scores, prior.predict_proba(nothing))
    assert baseline.decided is not None
    assert np.array_equal(baseline.decided, prior.predict(nothing))


def test_who_lets_a_version_be_worse_lets_it_be_worse_than_a_constant(tmp_path: Path) -> None:
    """By a negative improvement, in the unit of the metric; without one the same model is refused."""
    for least, passed in ((-10.0, True), (-0.1, False), (0.0, False)):
        folder = tmp_path / str(least)
        folder.mkdir()
        verdict = Bench(folder, champion={"metric": "r2", "min_improvement": least}).judge(-0.5)
        (check,) = [each for each in verdict["checks"] if "of the baseline" in each["text"]]
        assert check["passed"] is passed
        assert check["text"].endswith(f"{'lies' if passed else 'must lie'} above {least:g}")


@pytest.mark.parametrize("metric", [each for each in REGRESSION_METRICS if each != "pinball_loss"])
@pytest.mark.parametrize(("noise", "better"), [(1.0, True), (7.0, False)])
def test_a_first_version_of_numbers_beats_a_constant_in_every_metric(metric: str, noise: float, better: bool) -> None:
    """In the one that decides, but where a constant is without fault: then in R2."""
    check, report = against_baseline(pipeline(gate={"champion": {"metric": metric}}), numbers(noise))

    assert check.passed is better
    assert report.metric == ("r2" if metric == "bias" else metric)
    assert ("which lies above 0" if better else "which must lie above 0") in check.text
    assert "a constant (the held-out rows' mean 4" in check.text or "mean 5" in check.text


@pytest.mark.parametrize("metric", CLASSIFICATION_METRICS)
@pytest.mark.parametrize("labels", [2, 3])
def test_a_first_version_of_labels_beats_a_constant_in_every_metric(metric: str, labels: int) -> None:
    """One that knows half of the truth does, and one that knows nothing does not."""
    declared = pipeline("classification", gate={"champion": {"metric": metric}})

    good, report = against_baseline(declared, classes(0.5, labels))
    useless, _ = against_baseline(declared, classes(0.0, labels))

    assert (good.passed, useless.passed) == (True, False)
    assert report.metric == ("log_loss" if metric in {"calibration_error", "recall"} else metric)
    assert report.gain is not None
    assert report.gain > 0


def test_a_metric_that_is_not_defined_on_the_rows_gives_way() -> None:
    """There is no ranking of one label, and no share of a truth of 0."""
    one = classes(0.5)
    one.target = np.zeros_like(one.target)
    check, report = against_baseline(pipeline("classification"), one)
    assert (check.passed, report.metric) == (False, "log_loss")

    with_zero = numbers(1.0)
    with_zero.target[0] = 0.0
    assert against_baseline(pipeline(gate={"champion": {"metric": "mape"}}), with_zero)[1].metric == "r2"


def test_the_report_says_what_was_beaten(tmp_path: Path) -> None:
    """A first version is promoted with its baseline's metrics beside its own; a useless one is refused in words."""
    good, bad = Bench(tmp_path).judge(2.0), Bench(tmp_path).judge(-1.0)

    assert good["passed"]
    assert good["baseline"]["metrics"]["r2"] == pytest.approx(0.0, abs=1e-12)
    assert good["baseline"]["gain"] == pytest.approx(good["metrics"]["r2"])
    assert 0 < good["baseline"]["lower"] < good["baseline"]["gain"]
    assert not bad["passed"]
    assert "of the baseline, a constant (the held-out rows' mean" in bad["reasons"][0]
    assert "which must lie above 0" in bad["reasons"][0]
    assert Bench(tmp_path).judge(2.0, champion=1.0)["baseline"] is None


@pytest.mark.parametrize("rows", [1, 2, 3, 9])
def test_a_handful_of_rows_promotes_nothing(tmp_path: Path, rows: int) -> None:
    """Neither a first version nor a later one, and the words name the field."""
    bench = Bench(tmp_path)
    few = [bench.holdout(bench.table.slice(0, rows))]

    for champion in (None, 1.0):
        report = bench.judge(2.0, champion=champion, holdouts=few)
        assert not report["passed"]
        assert f"{rows} held-out rows are too few to judge by: gate.min_holdout_rows is 10" in report["reasons"][-1]


def test_more_rows_may_be_asked_for(tmp_path: Path) -> None:
    """Declared in the pipeline file; exactly so many are enough."""
    assert Bench(tmp_path, min_holdout_rows=ROWS).judge(2.0)["passed"]
    assert not Bench(tmp_path, min_holdout_rows=ROWS + 1).judge(2.0)["passed"]


@pytest.mark.parametrize(
    ("gate", "labels", "rarest", "enough"),
    [
        ({}, 2, 5, True),
        ({}, 2, 4, False),
        ({"min_holdout_positives": 0}, 2, 0, True),
        ({"min_holdout_positives": 30}, 2, 29, False),
        ({}, 3, 1, True),
        ({"min_holdout_positives": 3}, 3, 2, False),
    ],
)
def test_the_rarest_label_needs_rows(gate: dict[str, int], labels: int, rarest: int, enough: bool) -> None:
    """Of two labels by default, of more by declaration."""
    given = classes(0.5, labels)
    given.target = np.concatenate([np.zeros(rarest, dtype=np.int64), 1 + np.arange(300 - rarest) % (labels - 1)])
    checks = enough_rows(pipeline("classification", gate=gate), given)

    assert (checks == []) is enough
    assert all("rows of the rarest label are too few to judge by: gate.min_holdout_pos" in each.text for each in checks)


def test_a_pipeline_that_asks_for_nothing_has_the_digest_that_it_had() -> None:
    """Defaults are not stored."""
    assert "min_holdout" not in pipeline().model_dump_json()
    assert pipeline(gate={"min_holdout_rows": 10}).digest == pipeline().digest
    assert pipeline(gate={"min_holdout_rows": 11}).digest != pipeline().digest
