"""Parts as tasks of a Ray cluster: the same scoring, on whatever CPU is free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import ray
from interlock_contracts.scoring import ScoringJob, ScoringPart
from interlock_jobs import cluster
from interlock_jobs.environment import store_of_environment

from interlock_scoring.parts import Parts
from interlock_scoring.rows import Rows


class RayPool:
    """One CPU per part; rows travel through Ray's object store, answers through ours."""

    def __init__(self, address: str, job: ScoringJob, **options: Any) -> None:
        """Connect to the cluster, once a process."""
        self._ahead = 2 * cluster.join(address, **options)
        self._job = job.model_dump_json()
        one_cpu: Any = ray.remote(num_cpus=1, max_retries=3)
        self._score = one_cpu(_score)

    def run(self, numbered: Iterable[tuple[int, Rows]]) -> Iterator[ScoringPart]:
        """Score on the cluster; twice as many parts as it has CPUs are on their way at once."""
        waiting: list[Any] = []
        for number, rows in numbered:
            waiting.append(self._score.remote(self._job, number, rows))
            if len(waiting) >= self._ahead:
                done, waiting = ray.wait(waiting, num_returns=1)
                yield from self._results(done)
        while waiting:
            done, waiting = ray.wait(waiting, num_returns=1)
            yield from self._results(done)

    def _results(self, done: list[Any]) -> Iterator[ScoringPart]:
        try:
            yield from ray.get(done)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error


def _score(job: str, number: int, rows: Rows) -> ScoringPart:
    return _parts(job).score(number, rows)


@cache
def _parts(job: str) -> Parts:
    """Keep the model while the worker lives, which is as long as the job."""
    return Parts(store_of_environment(), ScoringJob.model_validate_json(job))
