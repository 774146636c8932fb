"""``python -m interlock_trainer --job SHA256:BYTES``: what a Ray job runs.

Exits with 0 once the manifest is written, also when it says that the training failed: the manifest is the answer.
Any other end means that there is none.
"""

import argparse
import logging
from typing import TYPE_CHECKING

from interlock_contracts.training import TrainingJob
from interlock_jobs.arguments import parse_ref
from interlock_jobs.environment import cluster_address, store_of_environment

from interlock_trainer.progress import Progress

if TYPE_CHECKING:
    from interlock_trainer.pools import FitPool

_logger = logging.getLogger("interlock_trainer")

FEW_FITS, FEW_ROWS = 12, 5_000
"""What is done here before workers would have started: they import for seconds."""


def main() -> None:
    """Run the training that the job names."""
    parser = argparse.ArgumentParser(prog="interlock_trainer", description=__doc__)
    parser.add_argument("--job", required=True, type=parse_ref, help="sha256:bytes, or an ArtifactRef as JSON")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    store = store_of_environment()
    job = TrainingJob.model_validate_json(store.fetch(arguments.job))
    progress = Progress(store, job.prefix)
    progress.update(stage="starting", trials_total=job.pipeline.training.trials_in_all)
    _logger.info("run %s, attempt %s: training %s", job.run_id, job.attempt, job.pipeline.name)
    pool = _pool(job)
    from interlock_trainer.training import run  # noqa: PLC0415 - takes seconds; by now the run shows that it has started

    manifest = run(job, store, pool, progress)
    _logger.info("training %s: %s", manifest.status, manifest.reason or manifest.winner)


def _pool(job: TrainingJob) -> "FitPool":
    """Return a pool on the cluster that runs this job, if any does and the training is not small."""
    cluster = cluster_address()
    if cluster is not None and not is_small(job):
        from interlock_trainer.ray_pool import RayPool  # noqa: PLC0415 - takes half a second

        training = job.pipeline.training
        return RayPool(cluster, most_workers=training.folds * max(len(training.candidates), training.trials))
    from interlock_trainer.pools import InProcessPool  # noqa: PLC0415 - takes seconds

    return InProcessPool()


def is_small(job: TrainingJob) -> bool:
    """Return whether a training has so few fits, on so few rows, that workers would not make it end sooner."""
    training = job.pipeline.training
    fits = training.folds * (len(training.candidates) + training.trials)
    return fits <= FEW_FITS and sum(dataset.train_rows for dataset in job.datasets) <= FEW_ROWS


if __name__ == "__main__":
    main()
