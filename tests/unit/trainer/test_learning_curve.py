"""A learning curve: the winner on fewer rows, scored on the same ones."""

from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from interlock_contracts.manifest import TrainingManifest
from interlock_trainer.learning_curve import SHARES

from tests.support.trained_models import trained
from tests.support.training_jobs import pipeline, table

FEW: dict[str, Any] = {"candidates": ["random_forest"], "folds": 3, "trials": 0}


def made(task: str, folder: Path, **training: Any) -> TrainingManifest:
    return trained(pipeline(task, **{**FEW, **training}), table(task), folder)[0]


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_more_rows_are_answered_better(task: str, tmp_path: Path) -> None:
    """From few rows to all, whose scores are those that chose the winner."""
    manifest = made(task, tmp_path, learning_curve=True)
    curve = manifest.learning_curve
    rows = [point.rows for point in curve]

    assert len(curve) == len(SHARES) + 1
    assert rows == sorted(rows)
    assert rows[-1] == pytest.approx((manifest.rows or 0) * 2 / 3, abs=1)
    assert rows[:-1] == pytest.approx([share * rows[-1] for share in SHARES], abs=1)
    assert curve[-1].scores == manifest.candidates[0].scores
    assert all(len(point.scores) == 3 for point in curve)
    better = fmean(curve[-1].scores) - fmean(curve[0].scores)
    assert better * (-1 if manifest.metric in ("log_loss", "rmse", "mae") else 1) > 0


def test_it_is_made_only_where_it_is_declared_and_the_same_each_time(tmp_path: Path) -> None:
    """The model is the same with it and without."""
    without = made("regression", tmp_path)
    once, again = (made("regression", tmp_path, learning_curve=True) for _ in range(2))

    assert without.learning_curve == []
    assert once.learning_curve == again.learning_curve
    assert once.artifact == without.artifact
