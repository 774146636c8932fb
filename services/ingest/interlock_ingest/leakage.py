"""Leakage: rows in both training and evaluation files, found by their hashes when either is ingested, and warned of."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from interlock_artifacts import ArtifactStore
from interlock_contracts.datasets import Finding
from interlock_contracts.refs import DatasetRef
from interlock_modeling.split import ROW_COLUMN
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_ingest import store
from interlock_ingest.store import DatasetRow
from interlock_ingest.validation import ValidationResult

TRAINING_FILES = 20
"""How many training files, the newest, an evaluation file is compared with."""


async def with_leakage(
    session: AsyncSession, artifacts: ArtifactStore, row: DatasetRow, result: ValidationResult, folder: Path
) -> ValidationResult:
    """Return the result of a check with a warning where rows of an evaluation file are trained on as well.

    A training file is compared with the newest evaluation file, an evaluation file with the newest training files.
    Those lie in ``folder`` one at a time; of the evaluation file the hashes are held in memory.
    """
    if result.parts is None:
        return result
    if row.role == "evaluation":
        others = await store.accepted_files(session, row.pipeline, "training", limit=TRAINING_FILES)
        evaluation, digest = result.parts.holdout, row.digest
        training = _fetched(artifacts, [DatasetRef.model_validate(each.dataset) for each in others], folder)
    else:
        others = await store.accepted_files(session, row.pipeline, "evaluation", limit=1)
        if not others:
            return result
        known = DatasetRef.model_validate(others[0].dataset)
        evaluation, digest = folder / "evaluation.parquet", known.digest
        await asyncio.to_thread(artifacts.fetch_file, known.holdout, evaluation)
        training = iter([(row.digest, result.parts.train)])
    rows, files = await asyncio.to_thread(trained_rows, evaluation, training)
    if not rows:
        return result
    what = "1 row" if rows == 1 else f"{rows:,} rows"
    why = f"{what} of evaluation file {digest[:12]} are trained on as well, so the gate's metrics may be too good"
    found = Finding(rule="evaluation_rows", count=rows, examples=[each[:12] for each in files], message=why)
    return result.model_copy(update={"warnings": [*result.warnings, found]})


def trained_rows(evaluation: Path, training: Iterator[tuple[str, Path]]) -> tuple[int, list[str]]:
    """Return how many rows of the evaluation file stand in training parts, too, and the digests of their files."""
    hashes, counts = np.unique(pq.read_table(evaluation, columns=[ROW_COLUMN])[ROW_COLUMN], return_counts=True)
    seen = np.zeros(len(hashes), dtype=np.bool_)
    files = []
    for digest, part in training:
        here = np.zeros(len(hashes), dtype=np.bool_)
        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches(columns=[ROW_COLUMN]):
                here |= np.isin(hashes, batch[ROW_COLUMN])
        files += [digest] if here.any() else []
        seen |= here
    return int(counts[seen].sum()), files


def _fetched(artifacts: ArtifactStore, datasets: list[DatasetRef], folder: Path) -> Iterator[tuple[str, Path]]:
    part = folder / "training.parquet"
    for each in datasets:
        artifacts.fetch_file(each.train, part)
        yield each.digest, part
        part.unlink()
