"""A holdout with few rows of a label: a verdict that hangs on them says so, and undefined metrics are named."""

import io
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.models import ChampionRef, ModelRegistered
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.report import GateReport
from interlock_evaluation_gate.evaluation import evaluate
from interlock_modeling.engines import LinearEngine
from interlock_modeling.split import ROW_COLUMN
from interlock_serving.cache import Cache
from interlock_serving.loading import Loader

from tests.support.stored_models import CLASSIFICATION, in_this_process, put

ROWS = 300
PIPELINE = Pipeline.model_validate(
    {
        "name": "m",
        "task": "classification",
        "target": "sold",
        "data": {"columns": {"size": {"type": "number"}, "color": {"type": "category"}, "sold": {"type": "boolean"}}},
    }
)


def holdout(positives: int) -> bytes:
    """Return rows of which the largest ones are positive."""
    size = np.arange(ROWS, dtype=np.float64)
    columns: dict[str, Any] = {"size": size, "color": ["red"] * ROWS, "sold": size >= ROWS - positives}
    columns[ROW_COLUMN] = np.arange(ROWS, dtype=np.uint64)
    table = pa.table(columns)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def report(folder: Path, positives: int) -> GateReport:
    """Judge a perfect candidate against a champion that gives every row the same answer."""
    store = MemoryStore()

    def model(weight: float) -> ArtifactRef:
        engine = LinearEngine(np.array([[weight, 0.0, 0.0]]), np.array([0.0]), "logistic")
        return put(store, CLASSIFICATION, engine, model="m").artifact

    event = ModelRegistered(
        model="m",
        version=2,
        run_id=uuid4(),
        artifact=model(0.01),
        manifest=store.put(b"{}"),
        pipeline_digest=PIPELINE.digest,
        spec=store.put(PIPELINE.model_dump_json().encode()),
        holdouts=[store.put(holdout(positives), holdout=True)],
        champion=ChampionRef(version=1, artifact=model(0.0)),
    )
    return evaluate(event, store, Loader(Cache(store, folder), in_this_process))


@pytest.mark.parametrize("positives", [1, 2, 5])
def test_on_few_positives_the_verdict_says_that_it_hangs_on_them(tmp_path: Path, positives: int) -> None:
    """A perfect candidate might be so by chance: one positive more that it gets wrong would undo it."""
    found = report(tmp_path, positives)

    assert not found.passed
    assert "it hangs on few rows, so one more that speaks against it is allowed for" in found.reasons[0]
    assert f"the rarest label has {positives}" in found.reasons[0]
    assert "nan" not in found.model_dump_json().lower()


def test_a_perfect_candidate_passes_on_ten_positives(tmp_path: Path) -> None:
    """It need not be more than that."""
    found = report(tmp_path, 10)

    assert found.passed, found.reasons


def test_on_many_positives_nothing_is_left_out(tmp_path: Path) -> None:
    """The sentence stands only where it says something."""
    found = report(tmp_path, 100)

    assert found.passed
    assert "few rows" not in found.reasons[0]


def test_without_positives_the_verdict_says_what_is_missing(tmp_path: Path) -> None:
    """Instead of a bound that is no number."""
    found = report(tmp_path, 0)

    assert not found.passed
    assert found.reasons[0] == "roc_auc has no confidence interval: the holdout has 0 rows of the rarest label"
    assert found.reasons[1].startswith("0 held-out rows of the rarest label are too few to judge by")
