"""Leakage between files: rows that are known already, or both trained on and evaluated on, found by their hashes."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from interlock_artifacts import ArtifactStore
from interlock_contracts.datasets import Finding
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import DatasetRef
from interlock_modeling.split import ROW_COLUMN
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_ingest import store
from interlock_ingest.store import DatasetRow
from interlock_ingest.validation import ValidationResult
from interlock_ingest.validation.result import Parts

TRAINING_FILES = 20
"""How many training files, the newest, an evaluation file is compared with."""


KNOWN_FILES = 10
KNOWN_BYTES = 64 << 20
"""How many training files, the newest, a new one is compared with, and how many bytes of their parts at most."""

MOST_ROWS = 5_000_000
"""Rows of a new file from which on it is not compared with those before: its hashes are held in memory."""


async def with_leakage(
    session: AsyncSession,
    artifacts: ArtifactStore,
    row: DatasetRow,
    pipeline: Pipeline,
    result: ValidationResult,
) -> ValidationResult:
    """Return the result of a check with what was found beside other files: warned of, or refused by ``rules.leak``.

    A training file is compared with the newest evaluation file and with the training files before it, an evaluation
    file with the newest training files. Those lie beside the parts one at a time.
    """
    if result.parts is None:
        return result
    found = await _in_evaluation(session, artifacts, row, result.parts)
    if row.role == "training":
        found += await _known(session, artifacts, row, pipeline, result.parts)
    if found and pipeline.data.rules.leak == "refuse":
        return result.model_copy(update={"reasons": found, "parts": None})
    return result.model_copy(update={"warnings": [*result.warnings, *found]})


async def _in_evaluation(
    session: AsyncSession, artifacts: ArtifactStore, row: DatasetRow, parts: Parts
) -> list[Finding]:
    """Return a finding where rows of an evaluation file are trained on as well."""
    folder = parts.train.parent
    if row.role == "evaluation":
        others = await store.accepted_files(session, row.pipeline, "training", limit=TRAINING_FILES)
        evaluation, digest = parts.holdout, row.digest
        training = _fetched(artifacts, [DatasetRef.model_validate(each.dataset) for each in others], folder)
    else:
        others = await store.accepted_files(session, row.pipeline, "evaluation", limit=1)
        if not others:
            return []
        known = DatasetRef.model_validate(others[0].dataset)
        evaluation, digest = folder / "evaluation.parquet", known.digest
        await asyncio.to_thread(artifacts.fetch_file, known.holdout, evaluation)
        training = iter([(row.digest, parts.train)])
    rows, files = await asyncio.to_thread(trained_rows, evaluation, training)
    if not rows:
        return []
    what = "1 row" if rows == 1 else f"{rows:,} rows"
    why = f"{what} of evaluation file {digest[:12]} are trained on as well, so the gate's metrics may be too good"
    return [Finding(rule="evaluation_rows", count=rows, examples=[each[:12] for each in files], message=why)]


async def _known(
    session: AsyncSession,
    artifacts: ArtifactStore,
    row: DatasetRow,
    pipeline: Pipeline,
    parts: Parts,
) -> list[Finding]:
    """Return a finding where earlier files have more of the rows than the rules allow, or have them all."""
    others = await store.accepted_files(session, row.pipeline, "training", limit=KNOWN_FILES)
    earlier = [DatasetRef.model_validate(each.dataset) for each in others if each.digest != row.digest]
    total = parts.train_rows + parts.holdout_rows
    if not earlier or not 0 < total <= MOST_ROWS:
        return []
    known, compared = await asyncio.to_thread(_count_known, artifacts, parts, earlier)
    limit = pipeline.data.rules.max_known_rows
    if known < total and (limit is None or known <= limit * total):
        return []
    files = "the file before it" if compared == 1 else f"the {compared} files before it"
    why = f"{known:,} of {total:,} rows are in {files} as often"
    allowed = "" if limit is None else f"; rules.max_known_rows allows {limit:.0%}"
    nothing = ", so there is nothing new to learn" if known == total else ""
    act = "if they are new and only look alike, declare a column that tells them apart, as an id with `role: ignore`"
    return [Finding(rule="known_rows", count=known, message=f"{why}{nothing}{allowed}; {act}")]


def _count_known(artifacts: ArtifactStore, parts: Parts, earlier: list[DatasetRef]) -> tuple[int, int]:
    """Return how many rows are in the earlier files, the newest first, and with how many of them it was compared."""
    sizes = np.cumsum([each.train.bytes + each.holdout.bytes for each in earlier])
    compared = earlier[: int((sizes <= KNOWN_BYTES).sum())]
    files = (_both_sides(artifacts, each, parts.train.parent) for each in compared)
    return known_rows(_hashes([parts.train, parts.holdout]), files), len(compared)


def known_rows(hashes: NDArray[np.uint64], files: Iterable[NDArray[np.uint64]]) -> int:
    """Return how many rows, given by their hashes, are in the files: equal ones as many as the file with the most has.

    So many a run would leave out, for it trains on the union of the files.
    """
    values, counts = np.unique(hashes, return_counts=True)
    known = np.zeros(len(values), dtype=np.int64)
    for each in files:
        theirs, numbers = np.unique(each, return_counts=True)
        _, here, there = np.intersect1d(values, theirs, assume_unique=True, return_indices=True)
        known[here] = np.maximum(known[here], numbers[there])
    return int(np.minimum(known, counts).sum())


def _both_sides(artifacts: ArtifactStore, dataset: DatasetRef, folder: Path) -> NDArray[np.uint64]:
    paths = [folder / "earlier-train.parquet", folder / "earlier-holdout.parquet"]
    for ref, path in zip((dataset.train, dataset.holdout), paths, strict=True):
        artifacts.fetch_file(ref, path)
    hashes = _hashes(paths)
    for path in paths:
        path.unlink()
    return hashes


def _hashes(parts: Iterable[Path]) -> NDArray[np.uint64]:
    tables = [pq.read_table(part, columns=[ROW_COLUMN]) for part in parts]
    return pa.concat_tables(tables)[ROW_COLUMN].to_numpy()


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
