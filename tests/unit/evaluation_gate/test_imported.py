"""An imported model at the gate: smoke-tested and compared with a trained champion, on the same rows."""

import io
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.models import ChampionRef, ModelRegistered
from interlock_contracts.training import TrainingJob
from interlock_evaluation_gate.evaluation import evaluate
from interlock_modeling.split import ROW_COLUMN
from interlock_serving.cache import Cache
from interlock_serving.loading import Loader
from interlock_trainer import training
from interlock_trainer.imports import importing
from interlock_trainer.pools import InProcessPool
from interlock_trainer.progress import Progress

from tests.support.mlflow_folders import archive, files_of, pipeline, table
from tests.support.stored_models import in_this_process
from tests.support.training_jobs import job


@pytest.mark.parametrize("name", ["xgboost_regression", "onnx_network_regression"])
def test_an_imported_model_challenges_a_trained_champion(name: str, tmp_path: Path) -> None:
    """It is better than a line on what has a square in it, so it passes; the holdout has rows of its own."""
    store, of = MemoryStore(), pipeline()
    asked = job(store, of, table())
    champion = training.run(asked, store, InProcessPool(), Progress(store, asked.prefix))
    upload = store.put(archive(files_of(name)))
    second = TrainingJob.model_validate(asked.model_dump() | {"attempt": 2, "imported": upload})
    candidate = importing.run(second, store, Progress(store, second.prefix))
    assert champion.artifact is not None
    assert candidate.artifact is not None
    holdout = io.BytesIO()
    pq.write_table(table(seed=8).append_column(ROW_COLUMN, pa.array(np.arange(300, dtype=np.uint64))), holdout)
    event = ModelRegistered(
        model=of.name,
        version=2,
        run_id=uuid4(),
        artifact=candidate.artifact,
        manifest=store.put(candidate.model_dump_json().encode()),
        pipeline_digest=of.digest,
        spec=store.put(of.model_dump_json().encode()),
        holdouts=[store.put(holdout.getvalue(), holdout=True)],
        champion=ChampionRef(version=1, artifact=champion.artifact),
    )

    report = evaluate(event, store, Loader(Cache(store, tmp_path / "cache"), in_this_process))

    assert report.passed, report.reasons
    assert report.champion is not None
    assert report.champion.gain is not None
    assert report.champion.gain > 0
    assert report.rows == 300
