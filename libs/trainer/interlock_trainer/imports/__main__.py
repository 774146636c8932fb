"""``python -m interlock_trainer.imports --job SHA256:BYTES``: what a Ray job runs that imports a model.

A program of its own, so that a cluster with the last release's trainer says that it has none, and does not train.
Exits with 0 once the manifest is written, as the training does.
"""

import argparse
import logging

from interlock_contracts.training import TrainingJob
from interlock_jobs.arguments import parse_ref
from interlock_jobs.environment import store_of_environment

from interlock_trainer.progress import Progress

_logger = logging.getLogger("interlock_trainer")


def main() -> None:
    """Import the model that the job names."""
    parser = argparse.ArgumentParser(prog="interlock_trainer.imports", description=__doc__)
    parser.add_argument("--job", required=True, type=parse_ref, help="sha256:bytes, or an ArtifactRef as JSON")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    store = store_of_environment()
    job = TrainingJob.model_validate_json(store.fetch(arguments.job))
    progress = Progress(store, job.prefix)
    progress.update(stage="starting")
    _logger.info("run %s, attempt %s: importing a model of %s", job.run_id, job.attempt, job.pipeline.name)
    from interlock_trainer.imports.importing import run  # noqa: PLC0415 - takes seconds; by now the run shows that it has started

    manifest = run(job, store, progress)
    _logger.info("import %s: %s", manifest.status, manifest.reason or manifest.winner)


if __name__ == "__main__":
    main()
