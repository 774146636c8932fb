"""A quantile of the target: fitted, scored, served and exported."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.candidates import QUANTILE, Candidate
from interlock_contracts.pipeline import Pipeline
from interlock_trainer.export import TOLERANCE
from interlock_trainer.kinds import KINDS

from tests.support.trained_models import trained
from tests.support.training_jobs import pipeline, table
from tests.unit.trainer.test_portable import as_served, lenient, written

ROWS = 1500


def declared(candidate: Candidate, quantile: float | None, transform: str | None = None) -> Pipeline:
    training: dict[str, Any] = {"candidates": [candidate], "parameters": {candidate: SMALL[candidate]}}
    if quantile is not None:
        training["quantile"] = quantile
    spec = pipeline(**training).model_dump(mode="json")
    return Pipeline.model_validate(spec | {"target": {"column": "y", "transform": transform} if transform else "y"})


SMALL = {
    "xgboost": {"n_estimators": 60, "max_depth": 3},
    "gradient_boosting": {"max_iter": 60, "max_leaf_nodes": 7},
    "classic_gradient_boosting": {"n_estimators": 60},
    "lightgbm": {"n_estimators": 60, "num_leaves": 7},
}


def positive() -> pa.Table:
    rows = table(rows=ROWS)
    return rows.set_column(rows.column_names.index("y"), "y", pa.array(np.exp(np.asarray(rows.column("y")) / 20)))


@pytest.mark.parametrize("transform", [None, "log1p"])
@pytest.mark.parametrize("candidate", list(QUANTILE))
def test_answers_leave_the_declared_share_of_rows_below(
    candidate: Candidate, transform: str | None, tmp_path: Path
) -> None:
    """Also with a transform, as logarithms keep the order; the manifest says which quantile it is."""
    rows = positive()
    for quantile in (0.1, 0.9):
        manifest, model = trained(declared(candidate, quantile, transform), rows, tmp_path)
        below = (np.asarray(rows.column("y")) <= model.predict_table(rows).scores).mean()

        assert below == pytest.approx(quantile, abs=0.06)
        assert manifest.export_check is not None
        assert manifest.export_check.max_rel <= TOLERANCE
        assert (manifest.quantile, manifest.metric) == (quantile, "pinball_loss")


def test_a_model_of_the_mean_loses_at_a_far_quantile(tmp_path: Path) -> None:
    """So the loss tells them apart, and the folds are scored by it."""
    rows = positive()
    manifest, model = trained(declared("xgboost", 0.9), rows, tmp_path)
    _, mean = trained(declared("xgboost", None), rows, tmp_path)
    truth = np.asarray(rows.column("y"))
    losses = []
    for each in (model, mean):
        error = truth - each.predict_table(rows).scores
        losses.append(np.maximum(0.9 * error, -0.1 * error).mean())

    assert losses[0] < losses[1]
    assert manifest.score == pytest.approx(losses[0], rel=0.5)


def test_an_export_answers_the_same_quantile(tmp_path: Path) -> None:
    """Nothing else is in the graph than in any other forest."""
    store, rows = MemoryStore(), positive()
    manifest, model = trained(declared("xgboost", 0.9), rows, tmp_path, store)
    assert manifest.artifact is not None

    as_served(model, lenient(written(store.fetch(manifest.artifact), tmp_path)), rows)


def test_the_contract_names_the_kinds_that_can() -> None:
    """A kind that learns it is named there, too."""
    assert {name for name, kind in KINDS.items() if kind.quantile is not None} == set(QUANTILE)
