"""A monotone column moves the answer one way only, whatever the rows of the training say."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.candidates import MONOTONE, Candidate
from interlock_contracts.pipeline import Pipeline
from interlock_modeling import Model, ModelDescription
from interlock_trainer.errors import DataError
from interlock_trainer.kinds import KINDS
from interlock_trainer.pools import InProcessPool
from interlock_trainer.progress import Progress
from interlock_trainer.tables import read_training_table
from interlock_trainer.training import run

from tests.support.training_jobs import job, pipeline, table


def declared(kind: str, candidate: Candidate, monotone: dict[str, str]) -> Pipeline:
    spec = pipeline(kind, candidates=[candidate]).model_dump(mode="json")
    for name, way in monotone.items():
        spec["data"]["columns"][name]["monotone"] = way
    return Pipeline.model_validate(spec)


def rows_with_a_valley(kind: str) -> pa.Table:
    """Return rows whose target falls with ``score`` up to its middle, and rises from there on."""
    rows = table(kind, rows=300)
    scores = np.nan_to_num(np.array(rows.column("score")).astype(np.float64), nan=20.0)
    signal = np.abs(scores - 20.0) + np.random.default_rng(5).normal(0, 1.0, len(scores))
    made: Any = pa.array(signal if kind == "regression" else signal > 10.0)
    return rows.set_column(rows.column_names.index("y"), "y", made)


def steps(of: Pipeline, folder: Path, column: str, cells: list[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Train; return how the served answers to some rows change with each next cell in that column [rows, steps]."""
    store, rows = MemoryStore(), rows_with_a_valley("binary" if of.task == "classification" else "regression")
    training = job(store, of, rows)
    manifest = run(training, store, InProcessPool(), Progress(store, training.prefix))
    assert manifest.artifact is not None, manifest.reason
    description = ModelDescription.parse(store.fetch(manifest.artifact))
    store.fetch_file(description.engine.ref, folder / "engine")
    model = Model.load(description, folder / "engine")
    answers = []
    for cell in cells:
        asked = rows.slice(0, 30)
        place = asked.column_names.index(column)
        made = asked.set_column(place, column, pa.array([cell] * 30, asked.schema.field(column).type))
        scores = model.predict_table(made).scores
        answers.append(scores if scores.ndim == 1 else scores[:, 1])
    return np.diff(np.array(answers), axis=0)


SCORES = np.linspace(-5, 45, 60).tolist()


@pytest.mark.parametrize("candidate", MONOTONE)
@pytest.mark.parametrize("kind", ["regression", "binary"])
@pytest.mark.parametrize(("way", "sign"), [("increasing", 1), ("decreasing", -1)])
def test_the_answer_moves_one_way_only(candidate: Candidate, kind: str, way: str, sign: int, tmp_path: Path) -> None:
    """Though the target falls and rises, and with other columns beside it that are coded as several."""
    changes = sign * steps(declared(kind, candidate, {"score": way}), tmp_path, "score", SCORES)

    assert changes.min() >= -1e-12
    assert changes.max() > 0


@pytest.mark.parametrize("candidate", MONOTONE)
def test_without_it_the_answer_follows_the_rows(candidate: Candidate, tmp_path: Path) -> None:
    """Else the test above would show nothing."""
    changes = steps(declared("regression", candidate, {}), tmp_path, "score", SCORES)

    assert changes.min() < -0.1
    assert changes.max() > 0.1


def test_booleans_and_whole_numbers_can_be_monotone(tmp_path: Path) -> None:
    """Each in its own direction."""
    of = declared("regression", "xgboost", {"open": "decreasing", "count": "increasing"})

    assert steps(of, tmp_path, "open", [False, True]).max() <= 1e-12
    assert steps(of, tmp_path, "count", list(range(0, 10**6, 10**4))).min() >= -1e-12


def test_three_labels_have_no_direction() -> None:
    """Where they are not declared, the training finds out."""
    store = MemoryStore()
    of = declared("multiclass", "random_forest", {"score": "increasing"})
    with pytest.raises(DataError, match="monotone columns need a number or two labels; 'y' has 3"):
        read_training_table(job(store, of, table("multiclass")), store)


def test_the_contract_knows_who_can() -> None:
    """What it lets pass can be trained."""
    assert tuple(name for name, kind in KINDS.items() if kind.monotone is not None) == MONOTONE
