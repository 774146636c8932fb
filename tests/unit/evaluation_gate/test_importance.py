"""Permutation importance: what a model goes by, how sure that is, and what it costs."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from interlock_contracts.pipeline import Pipeline
from interlock_evaluation_gate import importance
from interlock_evaluation_gate.importance import permutation_importance
from interlock_modeling import Model

from tests.support.trained_models import trained
from tests.support.training_jobs import pipeline, table


def model_of(kind: str, folder: Path, **training: Any) -> tuple[Pipeline, Model, pa.Table]:
    """Return a trained model, its pipeline, and rows that it has not seen."""
    of = pipeline(kind, **training)
    _, model = trained(of, table(kind), folder)
    return of, model, table(kind, rows=300, seed=4)


@pytest.mark.parametrize(
    ("kind", "gate", "metric"),
    [
        ("regression", {"champion": {"metric": "rmse"}}, "rmse"),
        ("binary", {}, "roc_auc"),
        ("binary", {"champion": {"metric": "accuracy"}}, "accuracy"),
        ("multiclass", {}, "roc_auc"),
    ],
)
def test_what_the_target_follows_from_is_important(
    kind: str, gate: dict[str, Any], metric: str, tmp_path: Path
) -> None:
    """Positive is worse whether the metric is better high or low; what has no use stays near to 0."""
    found = permutation_importance(*model_of(kind, tmp_path, gate=gate))
    assert found is not None
    by_name = {each.feature: each for each in found.features}

    assert (found.metric, found.rows, found.omitted) == (metric, 300, 0)
    assert found.features[0].feature == "score"
    assert sorted(by_name) == ["at", "color", "count", "open", "score", "shape"]
    assert [each.mean for each in found.features] == sorted((each.mean for each in found.features), reverse=True)
    assert by_name["score"].mean > 10 * abs(by_name["shape"].mean)
    assert by_name["score"].mean > by_name["score"].deviation > 0


def test_the_same_seed_gives_the_same_numbers(tmp_path: Path) -> None:
    """And another gives others, by about their deviation."""
    of, model, rows = model_of("regression", tmp_path)
    other = of.model_copy(update={"training": of.training.model_copy(update={"seed": 7})})
    first, second = (permutation_importance(each, model, rows) for each in (of, other))

    assert first == permutation_importance(of, model, rows)
    assert first is not None
    assert second is not None
    assert first != second
    ours, theirs = first.features[0], second.features[0]
    assert ours.mean == pytest.approx(theirs.mean, abs=10 * (ours.deviation + theirs.deviation))


def test_the_rows_that_are_answered_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With many features each is shuffled in fewer rows, down to a least number; then only the first ones are."""
    of, model, rows = model_of("regression", tmp_path)
    answered = 0
    predict = Model.predict_table

    def counted(self: Model, asked: pa.Table) -> Any:
        nonlocal answered
        answered += asked.num_rows
        return predict(self, asked)

    monkeypatch.setattr(Model, "predict_table", counted)
    monkeypatch.setattr(importance, "MOST_ANSWERS", 6 * importance.REPEATS * 120)
    found = permutation_importance(of, model, rows)
    assert found is not None
    assert (found.rows, answered) == (120, (1 + 6 * importance.REPEATS) * 120)

    monkeypatch.setattr(importance, "MOST_ANSWERS", 0)
    monkeypatch.setattr(importance, "MOST_FEATURES", 2)
    least = permutation_importance(of, model, rows)
    assert least is not None
    assert (least.rows, len(least.features), least.omitted) == (importance.LEAST_ROWS, 2, 4)


def test_where_the_metric_is_not_defined_there_is_none(tmp_path: Path) -> None:
    """Of rows with one label, or of a handful; the verdict does not hang on it."""
    of, model, rows = model_of("binary", tmp_path)

    assert permutation_importance(of, model, rows.filter(rows.column("y"))) is None
    assert permutation_importance(of, model, rows.slice(0, importance.FEWEST_ROWS - 1)) is None
