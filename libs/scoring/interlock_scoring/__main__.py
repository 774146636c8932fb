"""``python -m interlock_scoring --job SHA256:BYTES``: what `prediction` starts for a file, and what a Ray job runs.

Exits with 0 once the report is written, also when it says that the file failed: the report is the answer. Any other
end means that there is none; the same command goes on where it was.
"""

import argparse
import logging
import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from interlock_contracts.scoring import ScoringJob
from interlock_jobs.arguments import parse_ref
from interlock_jobs.environment import cluster_address, store_of_environment

from interlock_scoring.parts import Parts
from interlock_scoring.pools import Pool
from interlock_scoring.scoring import score

ADDRESS_SPACE_BYTES = 8 << 30
"""Beside the service a file that unpacks to more than this fails; a sound one stays far below it."""

_logger = logging.getLogger("interlock_scoring")


def main() -> None:
    """Answer the file that the job names."""
    parser = argparse.ArgumentParser(prog="interlock_scoring", description=__doc__)
    parser.add_argument("--job", required=True, type=parse_ref, help="sha256:bytes")
    parser.add_argument("--folder", type=Path, help="where the files lie meanwhile; else the temporary folder")
    parser.add_argument("--child", action="store_true", help="end when standard input closes: with the service")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if arguments.child:
        threading.Thread(target=_end_with_the_service, daemon=True).start()
        os.nice(5)
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
        pa.set_memory_pool(pa.system_memory_pool())  # gives back what it frees; the others hold a quarter more
    store = store_of_environment()
    job = ScoringJob.model_validate_json(store.fetch(arguments.job))
    threads = len(os.sched_getaffinity(0))
    pa.set_cpu_count(threads)
    with TemporaryDirectory(prefix="interlock-scoring-", dir=arguments.folder) as folder:
        report = score(job, store, Path(folder), threads=threads, pool=_cluster())
    _logger.info("prediction %s %s: %d rows %s", job.prediction_id, report.status, report.rows, report.reason or "")


def _cluster() -> Callable[[Parts], Pool] | None:
    """Return a pool on the cluster that runs this job, if any does."""
    address = cluster_address()
    if address is None:
        return None
    from interlock_scoring.ray_pool import RayPool  # noqa: PLC0415 - takes half a second, and only a cluster has it

    return lambda parts: RayPool(address, parts.job)


def _end_with_the_service() -> None:
    os.read(0, 1)  # nothing is written: it returns when the other end is gone
    os._exit(1)


if __name__ == "__main__":
    main()
