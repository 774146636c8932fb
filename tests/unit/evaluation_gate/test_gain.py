"""The gain over the champion on what the pipeline declares, with what the ledger allows."""

from typing import Any

import numpy as np
import pytest
from interlock_contracts.ledger import Claim
from interlock_contracts.pipeline import Pipeline
from interlock_evaluation_gate.domain import Gain, judge
from interlock_evaluation_gate.gain import gain_over
from interlock_evaluation_gate.measured import Measured
from interlock_modeling.signature import ModelSignature

ROWS = 1000
CLAIM = Claim(number=17, level=0.003, spent=0.012, budget=0.05)


def pipeline(task: str = "regression", **champion: Any) -> Pipeline:
    columns = {"x": {"type": "number"}, "y": {"type": "number" if task == "regression" else "boolean"}}
    spec = {"name": "m", "task": task, "target": "y", "data": {"columns": columns}, "gate": {"champion": champion}}
    return Pipeline.model_validate(spec)


def measured(target: Any, scores: Any, labels: Any = None) -> Measured:
    """Return answers as a model would have given them."""
    made = object.__new__(Measured)
    made.quantile, made.target, made.scores = None, target, scores
    made.signature = ModelSignature.model_construct(labels=labels, threshold=None)
    made.decided = None if labels is None else scores.argmax(axis=1)
    return made


def prices(noise: float) -> tuple[Measured, Measured]:
    """Return a candidate that is better on nearly every price, and a champion that has the one mansion right."""
    random = np.random.default_rng(2)
    target = np.exp(random.normal(size=ROWS))
    target[0] = 5000.0
    better = measured(target, target * np.exp(random.normal(scale=noise, size=ROWS)))
    worse = measured(target, target * np.exp(random.normal(scale=2 * noise, size=ROWS)))
    better.scores[0], worse.scores[0] = 4000.0, 5000.0
    return better, worse


def gain(rule: Pipeline, candidate: Measured, champion: Measured, claim: Claim | None = None) -> Gain:
    return gain_over(rule, 1, claim, candidate, champion)[0]


def test_what_one_row_decides_is_decided_by_all_rows_on_a_logarithm() -> None:
    """And with a declared range of prices nothing can outweigh the rest, so that a bet holds."""
    candidate, champion = prices(0.2)
    raw = gain(pipeline(metric="rmse"), candidate, champion)
    log1p = gain(pipeline(metric="rmse", on="log1p"), candidate, champion)
    bets = gain(pipeline(metric="rmse", on="log1p", clip=[0, 10]), candidate, champion)
    clipped = gain(pipeline(metric="mae", on="clip", clip=[0, 10]), candidate, champion)

    assert raw.lower < 0
    assert log1p.lower > 0
    assert 0 < bets.lower < log1p.lower
    assert clipped.lower > 0


@pytest.mark.parametrize(
    "champion",
    [
        {"metric": "r2", "on": "clip", "clip": [0, 10]},
        {"metric": "rmse", "on": "clip", "clip": [0, 10]},
        {"metric": "mae", "on": "log1p", "clip": [0, 100]},
    ],
)
def test_a_bounded_gain_is_above_its_bound_and_its_sign_is_that_of_the_losses(champion: dict[str, Any]) -> None:
    """In the metric's unit, in both directions."""
    better, worse = prices(0.2)
    ahead, behind = gain(pipeline(**champion), better, worse), gain(pipeline(**champion), worse, better)

    assert 0 < ahead.lower < ahead.gain
    assert behind.lower < behind.gain < 0


@pytest.mark.parametrize("metric", ["accuracy", "brier_score", "log_loss"])
def test_labels_are_bet_on(metric: str) -> None:
    """A model that knows the label beats one that guesses, with a bound between no gain and the gain."""
    random = np.random.default_rng(3)
    target = (random.random(ROWS) < 0.4).astype(np.int64)
    sure = 0.1 + 0.8 * target
    rule = {"metric": metric} | ({"on": "clip", "clip": [0.01, 0.99]} if metric == "log_loss" else {})
    knows = measured(target, np.stack([1 - sure, sure], axis=1), [False, True])
    guesses = measured(target, np.full((ROWS, 2), 0.5), [False, True])
    found = gain(pipeline("classification", **rule), knows, guesses)

    assert 0 < found.lower < found.gain


def test_a_claim_errs_as_often_as_the_ledger_allows_and_the_verdict_says_so() -> None:
    """Less than the pipeline's confidence would let it, so the bound is lower."""
    rule = pipeline(metric="mae", on="log1p")
    candidate, champion = prices(0.2)
    alone, claimed = gain(rule, candidate, champion), gain(rule, candidate, champion, CLAIM)
    text = judge(rule, {}, claimed, 1.0).reasons[0]

    assert claimed.lower < alone.lower
    assert "mae on log1p" in text
    assert "with 99.7% confidence" in text
    assert text.endswith("claim 17: 1.2 % of 5 % spent before, this claim at 0.3 %")


def test_equal_answers_are_told() -> None:
    """A retrain that changes nothing is no test."""
    candidate, _ = prices(0.2)
    found = gain(pipeline(metric="mae"), candidate, candidate)

    assert found.equal
    assert "both answer every row alike" in judge(pipeline(metric="mae"), {}, found, 1.0).reasons[0]


def test_rows_of_one_key_count_once() -> None:
    """Each row twenty times is no more than the rows there are."""
    random = np.random.default_rng(4)
    target, errors = random.normal(size=50), random.normal(size=(2, 50))
    many = [measured(np.repeat(target, 20), np.repeat(target + each, 20)) for each in (errors[0], 1.3 * errors[1])]
    few = [measured(target, target + each) for each in (errors[0], 1.3 * errors[1])]
    rule, keys = pipeline(metric="mae"), np.repeat(np.arange(50, dtype=np.uint64), 20)
    grouped = gain_over(rule, 1, None, many[0], many[1], groups=keys)[0]

    assert grouped.lower == pytest.approx(gain(rule, few[0], few[1]).lower)
    assert grouped.lower < gain(rule, many[0], many[1]).lower


def test_a_logarithm_of_what_has_none_names_the_rule() -> None:
    """And the number that has none."""
    candidate, champion = prices(0.2)
    candidate.target[3] = -2.0
    with pytest.raises(ValueError, match=r"gate.champion.on: log1p needs targets above -1; one held-out row has -2"):
        gain(pipeline(metric="mae", on="log1p"), candidate, champion)


@pytest.mark.parametrize(
    ("champion", "told"),
    [
        ({"metric": "mae", "on": "clip"}, "on: clip needs clip"),
        ({"metric": "mae", "clip": [0, 1]}, "clip needs `on: clip`"),
        ({"metric": "mae", "on": "clip", "clip": [2, 1]}, "must rise"),
        ({"metric": "mape", "on": "log1p"}, "on: log1p is for r2, rmse, mae, pinball_loss; mape is measured on raw"),
        ({"metric": "mae", "on": "log1p", "clip": [-3, 1]}, "log1p needs numbers above -1"),
        ({"metric": "log_loss", "on": "clip", "clip": [0, 1]}, "it bounds probabilities"),
        ({"metric": "log_loss", "on": "log1p"}, "on: log1p is for"),
    ],
)
def test_what_cannot_be_declared_is_refused_with_what_can(champion: dict[str, Any], told: str) -> None:
    """When the pipeline is applied, not when the gate reads it."""
    task = "classification" if champion["metric"] == "log_loss" else "regression"
    with pytest.raises(ValueError, match=told):
        pipeline(task, **champion)


def test_a_pipeline_that_declares_nothing_of_it_keeps_its_digest() -> None:
    """Stored files stay those of the same spec."""
    assert set(pipeline(metric="mae").model_dump(mode="json")["gate"]["champion"]) == {
        "metric",
        "min_improvement",
        "confidence",
    }
