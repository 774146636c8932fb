"""A transformed target: what is fitted is its logarithm, what is scored and served is the target."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.candidates import Candidate
from interlock_contracts.pipeline import Pipeline
from interlock_trainer.export import TOLERANCE
from interlock_trainer.kinds import KINDS
from interlock_trainer.pools import InProcessPool
from interlock_trainer.progress import Progress
from interlock_trainer.training import run

from tests.support.trained_models import trained
from tests.support.training_jobs import job, pipeline, table


def declared(candidate: Candidate, transform: str | None) -> Pipeline:
    spec = pipeline(candidates=[candidate], gate={"champion": {"metric": "rmse"}}).model_dump(mode="json")
    return Pipeline.model_validate(spec | {"target": {"column": "y", "transform": transform} if transform else "y"})


def with_target(rows: pa.Table, targets: Any) -> pa.Table:
    return rows.set_column(rows.column_names.index("y"), "y", pa.array(targets))


@pytest.mark.parametrize(
    ("candidate", "transform"), [*((each, "log1p") for each in KINDS), ("linear", "log"), ("xgboost", "log")]
)
def test_the_logarithm_is_fitted_and_the_target_is_answered(
    candidate: Candidate, transform: str, tmp_path: Path
) -> None:
    """As a model of the logarithm answers, turned back; scores are in the target's unit, and export is as exact."""
    rows = table()
    logarithms = np.asarray(rows.column("y")) / 8 + 1
    inverse = np.expm1 if transform == "log1p" else np.exp
    manifest, model = trained(declared(candidate, transform), with_target(rows, inverse(logarithms)), tmp_path)
    of_logarithms, plain = trained(declared(candidate, None), with_target(rows, logarithms), tmp_path)
    answers, expected = (each.predict_table(rows).scores for each in (model, plain))

    assert np.allclose(answers, inverse(expected), rtol=1e-5)
    assert manifest.export_check is not None
    assert manifest.export_check.max_rel <= TOLERANCE
    assert manifest.score is not None
    assert of_logarithms.score is not None
    assert manifest.score > 5 * of_logarithms.score
    assert model.signature.transform == transform


def test_targets_that_cannot_be_transformed_fail_the_training() -> None:
    """A dataset may have been stored before there was a transform."""
    store = MemoryStore()
    of = job(store, declared("linear", "log1p"), with_target(table(), np.linspace(-2, 9, 240)))
    manifest = run(of, store, InProcessPool(), Progress(store, of.prefix))

    assert manifest.status == "failed"
    assert manifest.reason == "22 rows have a 'y' of at most -1, of which there is no log1p"
