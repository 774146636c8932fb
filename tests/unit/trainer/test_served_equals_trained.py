"""What is served answers as scikit-learn does, for pipelines and rows that nobody chose."""

import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interlock_artifacts import MemoryStore
from interlock_contracts.candidates import Candidate
from interlock_contracts.pipeline import Pipeline
from interlock_modeling import Model, ModelDescription
from interlock_modeling.signature import ModelSignature
from interlock_tables.typed import ARROW_TYPES
from interlock_trainer.export import TOLERANCE, answers_of, compare, export
from interlock_trainer.kinds import KINDS
from interlock_trainer.preprocessing import frame_of, preprocessor_for
from sklearn.pipeline import Pipeline as SklearnPipeline
from threadpoolctl import threadpool_limits

SMALL: dict[Candidate, dict[str, Any]] = {
    "linear": {},
    "lasso": {},
    "elastic_net": {},
    "decision_tree": {"min_samples_leaf": 1},
    "random_forest": {"n_estimators": 9, "min_samples_leaf": 1},
    "extra_trees": {"n_estimators": 9, "min_samples_leaf": 1},
    "adaboost": {"n_estimators": 9},
    "gradient_boosting": {"max_iter": 9, "min_samples_leaf": 3},
    "classic_gradient_boosting": {"n_estimators": 9, "min_samples_leaf": 1},
    "xgboost": {"n_estimators": 9},
    "lightgbm": {"n_estimators": 9, "min_child_samples": 3},
    "neural_network": {"width": 8},
}
EXTREMES = [0.0, -0.0, 1e-300, -1e-12, 1e9, -1e9, 3e12]

Row = dict[str, Any]


class Table:
    """A random table: columns of random types, one of which ``y`` follows, and rows to ask that are odder still."""

    def __init__(self, types: list[str], labels: int, rows: int, seed: int, missing: float) -> None:
        self._rng = np.random.default_rng(seed)
        self._missing = missing
        self.types = {f"c{at}": kind for at, kind in enumerate(types)}
        self.labels = labels
        target = {"type": "number"} if labels == 0 else {"type": "category"}
        columns = {**{name: {"type": kind} for name, kind in self.types.items()}, "y": target}
        task = "classification" if labels else "regression"
        self.pipeline = Pipeline.model_validate(
            {"name": "random", "task": task, "target": "y", "data": {"columns": columns}}
        )
        made = [self.row(odd=False) for _ in range(rows)]
        self.train = self.table(made, {"y": [self._target(at, row) for at, row in enumerate(made)]})

    def table(self, rows: list[Row], more: dict[str, list[Any]] | None = None) -> pa.Table:
        columns = {
            name: pa.array([row.get(name) for row in rows], ARROW_TYPES[kind]) for name, kind in self.types.items()
        }
        return pa.table({**columns, **(more or {})})

    def row(self, *, odd: bool) -> Row:
        return {
            name: None if self._rng.random() < self._missing else self._cell(kind, odd=odd and self._rng.random() < 0.3)
            for name, kind in self.types.items()
        }

    def _cell(self, kind: str, *, odd: bool) -> Any:
        if kind == "category":
            return self._rng.choice(["neu", " ", "❄"] if odd else ["a", "b", "c", "long text"]).item()
        if kind == "boolean":
            return bool(self._rng.random() < 0.5)
        if kind == "integer":
            return int(self._rng.choice([10**9, -(2**53), 0]) if odd else self._rng.integers(-20, 20))
        if kind == "datetime":
            return datetime(2020, 1, 1, tzinfo=UTC) + timedelta(
                hours=int(self._rng.integers(0, 10**6 if odd else 9999))
            )
        return float(self._rng.choice(EXTREMES) if odd else self._rng.integers(0, 60) / 10)

    def _target(self, at: int, row: Row) -> Any:
        first = row["c0"]
        signal = (
            float(first or 0.0) if isinstance(first, int | float) else float(len(str(first)) + str(first).count("1"))
        )
        signal += float(self._rng.normal())
        return f"label {(at if at < 2 * self.labels else int(signal)) % self.labels}" if self.labels else signal


@st.composite
def tables(draw: st.DrawFn) -> Table:
    kinds = st.sampled_from(["number", "number", "integer", "boolean", "category", "datetime"])
    return Table(
        draw(st.lists(kinds, min_size=1, max_size=6)),
        labels=draw(st.sampled_from([0, 0, 2, 3])),
        rows=draw(st.integers(20, 80)),
        seed=draw(st.integers(0, 2**32 - 1)),
        missing=draw(st.sampled_from([0.0, 0.1, 0.4])),
    )


@pytest.mark.parametrize("candidate", list(KINDS))
@settings(
    max_examples=8,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(random=tables())
def test_rows_are_answered_as_scikit_learn_answers_them(candidate: Candidate, random: Table, tmp_path: Path) -> None:
    """Training rows, rows on splits, missing, unseen and extreme cells, as a table and as JSON: within 1e-5."""
    signature = ModelSignature.of(random.pipeline, random.train)
    frame = frame_of(signature, random.train)
    estimator = KINDS[candidate].estimator(signature.task, KINDS[candidate].defaults | SMALL[candidate], 5)
    whole = SklearnPipeline([("preprocess", preprocessor_for(signature, frame)), ("estimator", estimator)])
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a network that has not converged is served all the same
        whole.fit(frame, signature.targets(random.train))
    store = MemoryStore()

    result = export(candidate, whole, signature, random.train, store=store, folder=tmp_path, seed=1)

    model = Model.load(ModelDescription.parse(store.fetch(result.artifact)), tmp_path / "engine")
    rows = [random.row(odd=True) for _ in range(40)]
    asked = random.table(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # extreme numbers overflow in scikit-learn, too
        assert result.check.max_rel <= TOLERANCE
        assert compare(model, answers_of(whole, signature), asked).max_rel <= TOLERANCE
    assert np.allclose(model.predict_rows(as_json(rows)).scores, model.predict_table(asked).scores, rtol=1e-9)


def as_json(rows: list[Row]) -> list[Row]:
    return [
        {name: cell.isoformat() if isinstance(cell, datetime) else cell for name, cell in row.items()} for row in rows
    ]
