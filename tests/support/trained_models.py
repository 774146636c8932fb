"""Models as the trainer makes them, in this process, loaded as a gateway loads them."""

from pathlib import Path

import pyarrow as pa
from interlock_artifacts import ArtifactStore, MemoryStore
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.pipeline import Pipeline
from interlock_modeling import Model, ModelDescription
from interlock_trainer.pools import InProcessPool
from interlock_trainer.progress import Progress
from interlock_trainer.training import run

from tests.support.training_jobs import job


def trained(
    of: Pipeline, rows: pa.Table, folder: Path, store: ArtifactStore | None = None
) -> tuple[TrainingManifest, Model]:
    """Train; return the manifest, and the model of the engine file that is then in ``folder``."""
    store = store or MemoryStore()
    training = job(store, of, rows)
    manifest = run(training, store, InProcessPool(), Progress(store, training.prefix))
    assert manifest.artifact is not None, manifest.reason
    description = ModelDescription.parse(store.fetch(manifest.artifact))
    (folder / "engine").unlink(missing_ok=True)  # another model may have it mapped: it would change under that one
    store.fetch_file(description.engine.ref, folder / "engine")
    return manifest, Model.load(description, folder / "engine")
