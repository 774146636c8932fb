"""Parts as tasks of a real Ray, answers in a real S3: where parts are scored changes nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
from interlock_artifacts import S3Store
from interlock_contracts.scoring import ScoringJob, ScoringReport
from interlock_jobs.environment import store_of_environment
from interlock_scoring import score, scoring
from interlock_scoring.ray_pool import RayPool

from tests.unit.scoring.files import job_over, parquet

pytestmark = pytest.mark.integration

ROWS = 5_000


@pytest.fixture
def store(servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """Return the store that tasks find too, and stop the private Ray in the end."""
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"INTERLOCK_S3_{name}", servers[f"INTERLOCK_S3_{name}"])
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setattr(scoring, "PART_ROWS", 1_000)
    found = store_of_environment()
    found.make_bucket()
    yield found
    ray.shutdown()


def test_ray_gives_the_answer_that_one_process_gives(store: S3Store, tmp_path: Path) -> None:
    """The same answers in the same order, and a row that does not fit is named by a task as it is here."""
    sizes = np.arange(ROWS, dtype=np.float64)
    colors = pa.array(["red", None] * (ROWS // 2))
    file = store.put(parquet(size=sizes, color=colors))
    here, there = (job_over(store, file, number=uuid4().int, log=0.5, format="parquet") for _ in range(2))
    bad = job_over(store, store.put(parquet(size=[*sizes, None])), number=uuid4().int, format="parquet")

    spread = score(there, store, _folder(tmp_path, "there"), pool=lambda parts: on_ray(parts.job))
    assert (spread.status, spread.rows, spread.unanswered) == ("succeeded", ROWS, 0)
    alone = score(here, store, _folder(tmp_path, "here"), threads=2)
    tables = [_table(store, each) for each in (spread, alone)]
    assert tables[0].drop_columns(["prediction_id"]).equals(tables[1].drop_columns(["prediction_id"]))
    assert tables[0].column("prediction_id").to_pylist() == [f"{there.prediction_id}/{row}" for row in range(ROWS)]
    lines = [store.read(there.logged_key(part)) or b"" for part in range(spread.parts)]
    assert 0.45 * ROWS < b"".join(lines).count(b"\n") < 0.55 * ROWS, "tasks draw the sample, too"

    refused = score(bad, store, _folder(tmp_path, "bad"), pool=lambda parts: on_ray(parts.job))
    assert refused.status == "failed"
    assert [(error.row, error.column) for error in refused.errors] == [(ROWS, "size")]


def on_ray(job: ScoringJob) -> RayPool:
    """Return a pool on a private Ray of two CPUs, started by the first."""
    return RayPool("local", job, include_dashboard=False, num_cpus=2, object_store_memory=100_000_000)


def _table(store: S3Store, report: ScoringReport) -> pa.Table:
    assert report.result is not None, "it succeeded"
    return pq.read_table(pa.BufferReader(store.fetch(report.result)))


def _folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name
