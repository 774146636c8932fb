"""What a training may be declared to answer besides the mean and the most probable label."""

from typing import Any

import pytest
from interlock_contracts.pipeline import Pipeline
from pydantic import ValidationError

from tests.unit.contracts.test_pipeline import declared


@pytest.mark.parametrize(
    ("target", "threshold", "told"),
    [
        ({"type": "number"}, 0.3, "training.threshold is for classification"),
        (
            {"type": "category", "values": ["a", "b", "c"]},
            0.3,
            "training.threshold is for two labels; 'math_score' has 3",
        ),
        ({"type": "boolean"}, 1.0, "less than 1"),
        ({"type": "boolean"}, 0.0, "greater than 0"),
        ({"type": "boolean"}, "high", "valid number"),
        ({"type": "boolean"}, {"metric": "recall"}, "'f1', 'f1_weighted', 'balanced_accuracy' or 'accuracy'"),
        ({"type": "boolean"}, {"by": "f1"}, "by metric.metric\n  Field required"),
        ({"type": "number"}, {"metric": "f1"}, "training.threshold is for classification"),
    ],
)
def test_a_threshold_chooses_between_two_labels(target: dict[str, Any], threshold: Any, told: str) -> None:
    """Without one, a declaration has the digest that it had before there were any."""
    task = "regression" if target["type"] == "number" else "classification"
    spec = declared(task=task, data__columns__math_score=target, training__threshold=threshold)
    with pytest.raises(ValidationError, match=told):
        Pipeline.model_validate(spec)
    fine = declared(task="classification", data__columns__math_score={"type": "boolean"}, training__threshold=0.3)

    assert Pipeline.model_validate(fine).training.threshold == 0.3
    by_metric = {**fine, "training": {**fine["training"], "threshold": {"metric": "f1"}}}
    training = Pipeline.model_validate(by_metric).training
    assert training.model_dump(mode="json")["threshold"] == {"metric": "f1"}
    assert training.threshold_number is None
    assert "threshold" not in Pipeline.model_validate(declared()).training.model_dump_json()


@pytest.mark.parametrize(
    ("training", "more", "told"),
    [
        ({"quantile": 0.9}, {}, "linear, random_forest cannot be fitted to a quantile; .*xgboost, lightgbm can"),
        ({"quantile": 1.0, "candidates": ["xgboost"]}, {}, "less than 1"),
        ({}, {"gate__metrics": {"pinball_loss": {"max": 2}}}, "metric 'pinball_loss' needs training.quantile"),
        (
            {"quantile": 0.9, "candidates": ["xgboost"]},
            {"task": "classification", "data__columns__math_score": {"type": "boolean"}},
            "training.quantile is for regression",
        ),
        (
            {"quantile": 0.9, "candidates": ["xgboost"]},
            {"data__columns__gender": {"type": "number", "monotone": "increasing"}},
            "training.quantile cannot be combined with monotone columns",
        ),
    ],
)
def test_a_quantile_can_be_fitted(training: dict[str, Any], more: dict[str, Any], told: str) -> None:
    """What is declared is what is answered, or it is refused."""
    with pytest.raises(ValidationError, match=told):
        Pipeline.model_validate(declared(**{f"training__{name}": value for name, value in training.items()}, **more))


def test_a_quantile_is_judged_by_its_loss() -> None:
    """Unless another metric is named; without a quantile nothing changes, the digest included."""
    spec = declared(training__quantile=0.9, training__candidates=["xgboost"])

    assert Pipeline.model_validate(spec).champion.metric == "pinball_loss"
    assert Pipeline.model_validate(declared()).champion.metric == "r2"
    assert "quantile" not in Pipeline.model_validate(declared()).training.model_dump_json()
