"""Validates one file for one pipeline: reads it, decides, and writes both parts of an accepted one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interlock_contracts.data import Data
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import DatasetRole
from interlock_modeling.split import HashForm
from interlock_tables.findings import BAD_ROWS_LISTED, UnreadableError, shorten
from interlock_tables.reading import read_rows

from interlock_ingest.domain import Findings, decide, decide_sides
from interlock_ingest.validation.chunk import Chunk, without_bad_cells
from interlock_ingest.validation.duplicates import Dropped, repeated_keys, repeated_rows
from interlock_ingest.validation.leaks import leaks_in
from interlock_ingest.validation.parts import write_parts
from interlock_ingest.validation.profile import Profile
from interlock_ingest.validation.result import Parts, ValidationResult
from interlock_ingest.validation.rules import check_rules, with_target
from interlock_ingest.validation.staging import Staging

MAX_ROWS = 200_000_000


def validate(
    path: Path, pipeline: Pipeline, folder: Path, role: DatasetRole = "training", form: HashForm = 1
) -> ValidationResult:
    """Read the file at ``path`` and decide; parts and what is needed on the way go to ``folder``, which must exist.

    Rows are hashed in the ``form`` that the pipeline has.
    Of an evaluation file all rows are held out, whatever the pipeline's split.
    Memory stays flat (below 400 MB) whatever the file's size; ``folder`` needs about twice the file's size on disk.
    """
    findings = Findings()
    profile = Profile(pipeline.data.columns)
    stage = folder / "stage"
    try:
        with Staging(stage, pipeline, form) as staging:
            try:
                for chunk in _rows(path, pipeline.data, findings):
                    good = with_target(chunk, pipeline.target, findings)
                    if len(good.lines):
                        check_rules(good, pipeline, findings)
                        profile.add(good, staging.add(good))
            except UnreadableError as error:
                findings.unreadable.append(error.finding)
            staging.finish()
            repeated = repeated_rows(staging.row_buckets, staging.rows)
            dropped = Dropped(staging.rows)
            findings.repeated_rows = repeated.count
            if staging.key_buckets is not None:
                # A key says what one row is; without it, equal rows are several of a kind, and their number counts.
                dropped = repeated
                findings.repeated_keys = repeated_keys(staging.key_buckets)
            findings.dropped_rows = dropped.count
            findings.distinct = profile.distinct()
            reasons, warnings = decide(pipeline, findings)
            parts = None if reasons else write_parts(staging, pipeline, dropped, folder, role)
            leaks = leaks_in(staging, pipeline, parts) if parts is not None and role == "training" else []
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    if parts is not None:
        findings.train_rows, findings.holdout_rows = parts.train_rows, parts.holdout_rows
        if role == "training":
            reasons, warned = decide_sides(pipeline, findings)
            warnings += warned
        named = {("many_values", each.column) for each in leaks if each.rule == "row_id"}
        warnings = [each for each in warnings if (each.rule, each.column) not in named]  # said better by the leak
        (reasons if pipeline.data.rules.leak == "refuse" else warnings).extend(leaks)
    return ValidationResult(
        reasons=reasons,
        warnings=warnings,
        profile=_described(pipeline, findings, profile, parts, role),
        parts=None if reasons else parts,
    )


def _rows(path: Path, data: Data, findings: Findings) -> Iterator[Chunk]:
    for rows in read_rows(path, data, findings):
        chunk = without_bad_cells(rows, findings)
        if findings.rows > MAX_ROWS:
            raise UnreadableError("too_many_rows", f"the file has more than {MAX_ROWS} rows; cut it into batches")
        yield chunk


def _described(
    pipeline: Pipeline, findings: Findings, profile: Profile, parts: Parts | None, role: DatasetRole
) -> dict[str, Any]:
    """Return the profile as JSON; columns are described over all rows that count, repeats included."""
    holdout = pipeline.data.holdout.model_dump(mode="json") | {"column": pipeline.data.holdout_column}
    if role == "evaluation":
        holdout = {"fraction": 1.0, "by": "role", "column": None}
    if parts is not None and parts.cut is not None:
        holdout["cut"] = parts.cut.isoformat()
    bad = sorted(findings.bad_list, key=lambda row: (row["line"], row["column"] or ""))
    return {
        "format": 2,
        "rows": findings.rows,
        "bad_rows": findings.bad_rows,
        "bad_rows_listed": bad[:BAD_ROWS_LISTED],
        "rows_without_target": findings.untargeted.count,
        "repeated_rows": findings.repeated_rows,
        "train_rows": findings.train_rows,
        "holdout_rows": findings.holdout_rows,
        "holdout": holdout,
        "extra_columns": [shorten(name) for name in findings.extra_columns[:1000]],
        "columns": profile.describe(),
    }
