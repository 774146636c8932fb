"""One job from beginning to end: read in order, score the parts that are not done, put them together, report."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from interlock_artifacts import ArtifactStore, MissingArtifactError
from interlock_contracts.scoring import ScoringJob, ScoringReport
from interlock_tables.findings import UnreadableError

from interlock_scoring.absent import absent_columns
from interlock_scoring.footer import join
from interlock_scoring.logged import share
from interlock_scoring.parts import Parts, RowsRefusedError
from interlock_scoring.pools import Pool, ThreadPool
from interlock_scoring.progress import Progress
from interlock_scoring.reading import read_blocks, rows_in
from interlock_scoring.rows import Rows, in_parts

PART_ROWS = 131_072
PART_BYTES = 32 << 20
"""A part has at most so many rows, fewer where they are wide: parts are what is held in memory."""

MAX_WARNINGS = 100

_FEWEST_ROWS = 1024
_logger = logging.getLogger(__name__)


def score(
    job: ScoringJob,
    store: ArtifactStore,
    folder: Path,
    *,
    threads: int = 1,
    pool: Callable[[Parts], Pool] | None = None,
) -> ScoringReport:
    """Answer the job's file and return the report, which is also written below the job's prefix, once.

    ``folder`` holds the input and the answer meanwhile; without a ``pool`` parts are scored on ``threads`` threads.

    Raises:
        ConnectionError: the store does not answer; starting again goes on where this ended.
    """
    done = store.read(f"{job.prefix}/report.json")
    if done is not None:
        return ScoringReport.model_validate_json(done)
    try:
        _fetch_input(store, job, folder / "input")
        total = rows_in(folder / "input", job.data)
        parts = Parts(store, job.model_copy(update={"log": share(job, total)}), None if pool else folder)
        report = _scored(parts, folder, total, pool(parts) if pool else ThreadPool(parts, threads))
    except RowsRefusedError as error:
        first = error.errors[0]
        where = f"row {first.row}" + (f", column {first.column!r}" if first.column else "")
        report = ScoringReport(status="failed", reason=f"{where}: {first.message}"[:2000], errors=error.errors)
    except UnreadableError as error:
        lines = error.finding.lines
        where = f"line {lines[0]}: " if lines else ""
        report = ScoringReport(status="failed", reason=f"{where}{error}"[:2000])
    store.put_once(f"{job.prefix}/report.json", report.model_dump_json().encode())
    return report


def _fetch_input(store: ArtifactStore, job: ScoringJob, path: Path) -> None:
    try:
        store.fetch_file(job.input, path)
    except MissingArtifactError as error:
        raise UnreadableError("file", "the file is not stored any more, as when its dataset was deleted") from error


def _scored(parts: Parts, folder: Path, total: int, pool: Pool) -> ScoringReport:
    store, job, path = parts.store, parts.job, folder / "input"
    size = _part_rows(store, job, total)
    progress = Progress(store, job.prefix, total)
    while (part := parts.done(len(progress.finished))) is not None:
        progress.finish(part)
    progress.write()
    for part in pool.run(_missing(parts, path, size, progress)):
        progress.finish(part)
    path.unlink()
    if not progress.finished:
        raise UnreadableError("no_rows", "the file has no rows")
    progress.write()
    ordered = [part for _, part in sorted(progress.finished.items())]
    assert len(ordered) == ordered[-1].number + 1, "parts are numbered without gaps"
    answer = folder / "result.parquet"
    join((parts.fetched(part, folder) for part in ordered), answer)
    return ScoringReport(
        status="succeeded",
        warnings=absent_columns(answer, job.data, parts.model.signature)[:MAX_WARNINGS],
        rows=sum(part.rows for part in ordered),
        unanswered=sum(part.unanswered for part in ordered),
        result=store.put_file(answer),
        parts=len(ordered),
        log=job.log,
    )


def _missing(parts: Parts, path: Path, size: int, progress: Progress) -> Iterator[tuple[int, Rows]]:
    """Yield the parts that are still to be scored; some behind the first may be done, as they run side by side."""
    begin = len(progress.finished)
    if begin:
        _logger.info("going on after %d parts that are done", begin)
    blocks = read_blocks(path, parts.job.data, parts.model.signature, start=begin * size)
    for number, rows in enumerate(in_parts(blocks, size), begin):
        if number == begin:
            parts.refuse_clashes(rows.table.column_names)
        part = parts.done(number)
        if part is None:
            yield number, rows
        else:
            progress.finish(part)


def _part_rows(store: ArtifactStore, job: ScoringJob, rows: int) -> int:
    """Return how many rows a part has: decided once, so that whoever goes on cuts the file at the same places."""
    key = f"{job.prefix}/part_rows"
    fitting = PART_BYTES * rows // max(1, job.input.bytes)
    store.put_once(key, str(max(_FEWEST_ROWS, min(PART_ROWS, fitting))).encode())
    decided = store.read(key)
    assert decided is not None, "it was just written"
    return int(decided)
