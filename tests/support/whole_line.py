"""From a file to a verdict in one process: check, training and gate on one store."""

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import numpy as np
from interlock_artifacts import MemoryStore
from interlock_contracts.models import ChampionRef, ModelRegistered
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef, DatasetRole
from interlock_contracts.report import GateReport
from interlock_contracts.training import TrainingJob
from interlock_evaluation_gate.evaluation import evaluate
from interlock_ingest.validation.validate import validate
from interlock_modeling.split import HashForm
from interlock_serving.cache import Cache
from interlock_serving.loading import Loader
from interlock_trainer.pools import InProcessPool
from interlock_trainer.progress import Progress
from interlock_trainer.training import run
from numpy.typing import NDArray

from tests.support.stored_models import in_this_process

Version = tuple[ArtifactRef, ArtifactRef]
"""A model's artifact and its manifest."""

NUMBERS = {"a": {"type": "number"}, "c": {"type": "number"}, "y": {"type": "number"}}
FOREST = {"candidates": ["random_forest"], "parameters": {"random_forest": {"min_samples_leaf": 1}}}


class Line:
    """Check, training and gate on one store, without what lies between them."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self.loader = Loader(Cache(self.store, folder), in_this_process)

    def file(
        self, of: Pipeline, columns: dict[str, Any], role: DatasetRole = "training", form: HashForm = 2
    ) -> DatasetRef:
        rows = zip(*(np.asarray(values).tolist() for values in columns.values()), strict=True)
        content = "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n"
        with TemporaryDirectory() as name:
            (file := Path(name) / "file.csv").write_text(content)
            (folder := Path(name) / "check").mkdir()
            parts = validate(file, of, folder, role, form).parts
            assert parts is not None
            return DatasetRef(
                digest="0" * 64,
                train=self.store.put_file(parts.train),
                holdout=self.store.put_file(parts.holdout, holdout=True),
                train_rows=parts.train_rows,
                holdout_rows=parts.holdout_rows,
            )

    def train(self, of: Pipeline, *files: DatasetRef) -> Version:
        job = TrainingJob(
            run_id=uuid4(),
            attempt=1,
            pipeline=of,
            pipeline_digest=of.digest,
            datasets=list(files),
            deadline=datetime(2100, 1, 1, tzinfo=UTC),
        )
        manifest = run(job, self.store, InProcessPool(), Progress(self.store, job.prefix))
        assert manifest.artifact is not None, manifest.reason
        return manifest.artifact, self.store.put(manifest.model_dump_json().encode())

    def judge(
        self,
        of: Pipeline,
        candidate: Version,
        champion: Version | None,
        *files: DatasetRef,
        evaluation: bool = False,
        champion_tells: bool = True,
    ) -> GateReport:
        serving = None
        if champion is not None:
            told = champion[1] if champion_tells else None
            serving = ChampionRef(version=1, artifact=champion[0], manifest=told)
        event = ModelRegistered(
            model=of.name,
            version=2,
            run_id=uuid4(),
            artifact=candidate[0],
            manifest=candidate[1],
            pipeline_digest=of.digest,
            spec=self.store.put(of.model_dump_json().encode()),
            holdouts=[each.holdout for each in files],
            evaluation="0" * 64 if evaluation else None,
            champion=serving,
        )
        report = evaluate(event, self.store, self.loader)
        json.dumps(report.model_dump(mode="json"), allow_nan=False)
        return report


def declared(columns: dict[str, Any], training: dict[str, Any] | None = None, **data: Any) -> Pipeline:
    return Pipeline.model_validate(
        {
            "name": "proof",
            "task": "regression",
            "target": "y",
            "data": {"columns": columns, **data},
            "training": {"candidates": ["linear"], "folds": 3, "trials": 0, **(training or {})},
        }
    )


def numbers(rows: int, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    a, c = random.normal(size=(2, rows))
    return {"a": a, "c": c, "y": a + 2 * c + random.normal(scale=0.5, size=rows)}
