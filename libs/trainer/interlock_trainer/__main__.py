"""``python -m interlock_trainer --job SHA256:BYTES``: what a Ray job runs.

Exits with 0 once the manifest is written, also when it says that the training failed: the manifest is the answer.
Any other end means that there is none.
"""

import argparse
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from interlock_artifacts import S3Store
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.training import TrainingJob

from interlock_trainer.progress import Progress

if TYPE_CHECKING:
    from interlock_trainer.pools import FitPool

_logger = logging.getLogger("interlock_trainer")


def main() -> None:
    """Run the training that the job names."""
    parser = argparse.ArgumentParser(prog="interlock_trainer", description=__doc__)
    parser.add_argument("--job", required=True, type=_ref, help="sha256:bytes, or an ArtifactRef as JSON")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    store = _store()
    job = TrainingJob.model_validate_json(store.fetch(arguments.job))
    progress = Progress(store, job.prefix)
    progress.update(stage="starting", trials_total=job.pipeline.training.trials)
    _logger.info("run %s, attempt %s: training %s", job.run_id, job.attempt, job.pipeline.name)
    pool = _pool(job)
    from interlock_trainer.training import run  # noqa: PLC0415 - takes seconds; by now the run shows that it has started

    manifest = run(job, store, pool, progress)
    _logger.info("training %s: %s", manifest.status, manifest.reason or manifest.winner)


def _pool(job: TrainingJob) -> "FitPool":
    """Return a pool on the cluster that runs this job, if any does; Ray names it in the job's environment."""
    cluster = os.environ.get("RAY_ADDRESS")
    if cluster:
        from interlock_trainer.ray_pool import RayPool  # noqa: PLC0415 - takes half a second

        training = job.pipeline.training
        return RayPool(cluster, most_workers=training.folds * max(len(training.candidates), training.trials))
    from interlock_trainer.pools import InProcessPool  # noqa: PLC0415 - takes seconds

    return InProcessPool()


def _ref(text: str) -> ArtifactRef:
    if text.startswith("{"):
        return ArtifactRef.model_validate_json(text)
    sha256, _, size = text.partition(":")
    return ArtifactRef(sha256=sha256, bytes=int(size))


def _store() -> S3Store:
    region = os.environ.get("INTERLOCK_S3_REGION") or "us-east-1"
    bucket = os.environ.get("INTERLOCK_S3_BUCKET") or "interlock"
    endpoint = os.environ["INTERLOCK_S3_ENDPOINT"]
    return S3Store(endpoint, _secret("INTERLOCK_S3_ACCESS_KEY"), _secret("INTERLOCK_S3_SECRET_KEY"), bucket, region)


def _secret(name: str) -> str:
    """Return a secret, or the content of the file that ``<name>_FILE`` names."""
    value = os.environ.get(name)
    return value or Path(os.environ[f"{name}_FILE"]).read_text().strip()


if __name__ == "__main__":
    main()
