from collections.abc import Iterator

import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.manifest import TrainingManifest
from interlock_trainer.pools import FitPool, InProcessPool
from interlock_trainer.progress import Progress
from interlock_trainer.ray_pool import RayPool
from interlock_trainer.training import run

from tests.support.training_jobs import job, pipeline, table


@pytest.fixture
def ray_pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[RayPool]:
    """Start a private Ray of two CPUs, and stop it."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    pool = RayPool("local", 2, include_dashboard=False, num_cpus=2, object_store_memory=100_000_000)
    yield pool
    pool.close()


def train(pool: FitPool) -> TrainingManifest:
    store = MemoryStore()
    of = job(store, pipeline(candidates=["linear", "xgboost"], trials=9), table())
    return run(of, store, pool, Progress(store, of.prefix))


@pytest.mark.integration
def test_ray_gives_the_model_that_one_process_gives(ray_pool: RayPool) -> None:
    """Where fits run changes how long they take, and nothing else."""
    here, there = train(InProcessPool()), train(ray_pool)

    assert there.status == "succeeded"
    assert there.artifact == here.artifact
    assert [trial.score for trial in there.trials] == [trial.score for trial in here.trials]
