import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.candidates import Candidate
from interlock_modeling import Model, ModelDescription
from interlock_modeling.engines import ForestEngine
from interlock_modeling.engines.forest_nodes import pack, unpack
from interlock_modeling.signature import ModelSignature
from interlock_trainer.errors import DataError
from interlock_trainer.export import TOLERANCE, Exported, answers_of, compare, export
from interlock_trainer.kinds import KINDS
from interlock_trainer.preprocessing import encoder_of, frame_of, preprocessor_for
from interlock_trainer.probes import probe_rows
from sklearn.pipeline import Pipeline as SklearnPipeline
from threadpoolctl import threadpool_limits

from tests.support.training_jobs import pipeline, table

SMALL: dict[Candidate, dict[str, Any]] = {
    "random_forest": {"n_estimators": 20},
    "extra_trees": {"n_estimators": 20},
    "adaboost": {"n_estimators": 20},
    "gradient_boosting": {"max_iter": 30},
    "classic_gradient_boosting": {"n_estimators": 20},
    "xgboost": {"n_estimators": 30},
    "lightgbm": {"n_estimators": 30},
    "neural_network": {"width": 8},
}


def fitted(candidate: Candidate, kind: str, rows: pa.Table) -> tuple[SklearnPipeline, ModelSignature]:
    of = pipeline(kind)
    signature = ModelSignature.of(of, rows)
    frame = frame_of(signature, rows)
    params = KINDS[candidate].defaults | SMALL.get(candidate, {})
    steps = [("preprocess", preprocessor_for(signature, frame))]
    whole = SklearnPipeline([*steps, ("estimator", KINDS[candidate].estimator(of.task, params, 5))])
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a network that has not converged is exported all the same
        return whole.fit(frame, signature.targets(rows)), signature


def exported(
    candidate: Candidate, kind: str, store: MemoryStore, folder: Path
) -> tuple[Exported, SklearnPipeline, pa.Table]:
    rows = table(kind)
    whole, signature = fitted(candidate, kind, rows)
    return export(candidate, whole, signature, rows, store=store, folder=folder, seed=1), whole, rows


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("candidate", list(KINDS))
def test_what_is_served_answers_like_scikit_learn(candidate: Candidate, kind: str, tmp_path: Path) -> None:
    """For every kind of model and task, on rows on and beside splits, with missing cells and unseen categories."""
    check = exported(candidate, kind, MemoryStore(), tmp_path)[0].check

    assert check.rows > 240
    # XGBoost itself sums in float32; the others reach rounding errors of float64.
    assert check.max_rel < (2e-6 if candidate == "xgboost" else 1e-12)


@pytest.mark.parametrize("candidate", list(KINDS))
def test_what_is_stored_can_be_loaded_and_served(candidate: Candidate, tmp_path: Path) -> None:
    """Description and engine file in the store are all that a gateway needs."""
    store = MemoryStore()
    result, whole, rows = exported(candidate, "multiclass", store, tmp_path)

    description = ModelDescription.parse(store.fetch(result.artifact))
    store.fetch_file(description.engine.ref, tmp_path / "fetched")
    model = Model.load(description, tmp_path / "fetched")

    assert compare(model, answers_of(whole, model.signature), rows).max_abs < 1e-6
    assert set(model.predict_table(rows).values) == {"low", "mid", "top"}


def test_a_wrong_translation_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One threshold compared in the wrong precision is found, although almost every row is answered right."""

    def careless(estimator: Any, width: int) -> Any:
        engine = KINDS["random_forest"].engine(estimator, width)
        assert isinstance(engine, ForestEngine)
        return replace_threshold(engine)

    monkeypatch.setitem(KINDS, "gradient_boosting", replace(KINDS["random_forest"], engine=careless))
    rows = table()
    whole, signature = fitted("random_forest", "regression", rows)

    with pytest.raises(DataError, match="differs from scikit-learn's predictions by"):
        export("gradient_boosting", whole, signature, rows, store=MemoryStore(), folder=tmp_path, seed=1)


def replace_threshold(engine: ForestEngine) -> ForestEngine:
    """Move every threshold to the next float32."""
    splits = unpack(engine.nodes)
    moved = np.nextafter(splits.threshold.astype(np.float32), np.float32(np.inf)).astype(np.float64)
    return replace(engine, nodes=pack(replace(splits, threshold=moved), engine.features, single=True))


def test_probes_lie_on_both_sides_of_splits() -> None:
    """For a threshold of every tree feature there is a row that goes left and one that goes right, next to it."""
    rows = table()
    whole, signature = fitted("gradient_boosting", "regression", rows)
    encoder = encoder_of(signature, whole["preprocess"])
    engine = KINDS["gradient_boosting"].engine(whole["estimator"], len(encoder.names))
    assert isinstance(engine, ForestEngine)
    encoded = encoder.encode_table(probe_rows(encoder, engine, rows, seed=1))[:, 0]
    thresholds = engine.thresholds(0)

    distance = encoded[None, :] - thresholds[:, None]
    assert (((distance <= 0) & (distance > -1e-9)).any(axis=1)).all()
    assert (((distance > 0) & (distance < 1e-9)).any(axis=1)).all()


def test_scaling_is_folded_into_coefficients(tmp_path: Path) -> None:
    """A served linear model neither subtracts nor divides, unless that would change its answers."""
    store = MemoryStore()
    result, _, _ = exported("linear", "regression", store, tmp_path)
    columns = ModelDescription.parse(store.fetch(result.artifact)).encoder.columns

    scales = {part.scale for column in columns if column.kind != "category" for part in column.numbers}
    assert scales == {1.0}


def test_folding_that_would_change_answers_is_left_out(tmp_path: Path) -> None:
    """A column far from zero with a tiny spread loses its digits when folded, so it stays scaled."""
    store, rows = MemoryStore(), table()
    far = 1e15 + np.random.default_rng(0).integers(0, 9, rows.num_rows)
    rows = rows.set_column(0, "score", pa.array(far.astype(np.float64)))
    whole, signature = fitted("linear", "regression", rows)

    result = export("linear", whole, signature, rows, store=store, folder=tmp_path, seed=1)

    description = ModelDescription.parse(store.fetch(result.artifact))
    first = description.encoder.columns[0]
    assert first.kind == "number"
    assert first.numbers[0].center > 1e14
    assert description.engine.kind == "linear"
    assert result.check.max_rel < TOLERANCE
