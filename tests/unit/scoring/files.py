"""Jobs over files made up on the spot, scored in this process."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
from interlock_artifacts import ArtifactStore, MemoryStore
from interlock_contracts.data import Data
from interlock_contracts.refs import ArtifactRef, ModelRef
from interlock_contracts.scoring import OnError, ScoringJob, ScoringReport
from interlock_scoring import score

from tests.support.stored_models import put_model

DECLARED = {"size": {"type": "number"}, "color": {"type": "category"}, "price": {"type": "number"}}


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def job_for(
    store: MemoryStore,
    content: bytes | str,
    *,
    model: ModelRef | None = None,
    on_error: OnError = "fail",
    number: int = 1,
    log: float = 0,
    **data: Any,
) -> ScoringJob:
    stored = store.put(content.encode() if isinstance(content, str) else content)
    return job_over(store, stored, model=model, on_error=on_error, number=number, log=log, **data)


def job_over(
    store: ArtifactStore,
    stored: ArtifactRef,
    *,
    model: ModelRef | None = None,
    on_error: OnError = "fail",
    number: int = 1,
    log: float = 0,
    **data: Any,
) -> ScoringJob:
    return ScoringJob(
        prediction_id=UUID(int=number),
        model=model or put_model(store, 1),
        input=stored,
        data=Data.model_validate({"columns": DECLARED, **data}),
        on_error=on_error,
        log=log,
        row_ids=True,
    )


def run(job: ScoringJob, store: MemoryStore, folder: Path, *, threads: int = 1) -> ScoringReport:
    folder.mkdir(exist_ok=True)
    return score(job, store, folder, threads=threads)


def result(report: ScoringReport, store: MemoryStore) -> pa.Table:
    assert report.result is not None, report.reason
    return pq.read_table(io.BytesIO(store.fetch(report.result)))
