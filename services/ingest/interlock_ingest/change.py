"""Change of a file against the one accepted before it: its number of rows, and drift of its columns."""

import asyncio
import json
from typing import Any

from interlock_artifacts import ArtifactStore
from interlock_contracts.datasets import Finding
from interlock_contracts.drift import ColumnDrift, DriftBin, DriftView
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_ingest import store
from interlock_ingest.drift import drift, worst
from interlock_ingest.store import DatasetRow
from interlock_ingest.validation import ValidationResult

_SHOWN_BINS = 3


async def with_changes(
    session: AsyncSession, artifacts: ArtifactStore, row: DatasetRow, pipeline: Pipeline, result: ValidationResult
) -> ValidationResult:
    """Return the result of a check with what has changed more than the rules allow: warned of, or refused.

    The rules are about files that are trained on: an evaluation file is chosen by hand, and may well be small or rare.
    """
    if result.parts is None or row.role == "evaluation":
        return result
    before = await store.accepted_before(session, row)
    if before is None:
        return result
    rows = result.parts.train_rows + result.parts.holdout_rows
    found = _row_change(before, rows, pipeline)
    if pipeline.data.rules.max_psi is not None:
        moved = await measured_drift(artifacts, before, result.profile, pipeline)
        found += _moved(moved, pipeline) if moved else []
    if found and pipeline.data.rules.on_change == "refuse":
        return result.model_copy(update={"reasons": found, "parts": None})
    return result.model_copy(update={"warnings": [*result.warnings, *found]})


async def measured_drift(
    artifacts: ArtifactStore, before: DatasetRow, profile: dict[str, Any], pipeline: Pipeline
) -> DriftView | None:
    """Return how far a profile's columns have moved from those of the file before, where that has a profile."""
    known = await stored_profile(artifacts, before)
    if known is None:
        return None
    declared = pipeline.data.columns.items()
    columns = await asyncio.to_thread(
        drift,
        known,
        profile,
        key=pipeline.data.key or (),
        ignored=[name for name, column in declared if column.role == "ignore"],
        expected=[name for name, column in declared if column.drift == "expected"],
    )
    return DriftView(against=before.digest, batch=before.number or 0, verdict=worst(columns), columns=columns)


async def stored_profile(artifacts: ArtifactStore, row: DatasetRow) -> dict[str, Any] | None:
    """Return a file's profile; None where its check did not come as far."""
    if row.profile is None:
        return None
    profile: dict[str, Any] = json.loads(
        await asyncio.to_thread(artifacts.fetch, ArtifactRef.model_validate(row.profile))
    )
    return profile


def _row_change(before: DatasetRow, rows: int, pipeline: Pipeline) -> list[Finding]:
    limit = pipeline.data.rules.max_row_change
    dataset = DatasetRef.model_validate(before.dataset)
    known = dataset.train_rows + dataset.holdout_rows
    if limit is None or abs(rows - known) <= limit * known:
        return []
    than = f"{abs(rows - known) / known:.0%} {'fewer' if rows < known else 'more'} than batch {before.number}"
    why = f"{rows:,} rows, {than} with {known:,}; rules.max_row_change allows {limit:.0%}{_way_on(pipeline)}"
    return [Finding(rule="max_row_change", count=abs(rows - known), message=why)]


def _moved(view: DriftView, pipeline: Pipeline) -> list[Finding]:
    """Return a finding for each column whose index is above the limit and above chance, and not expected to be."""
    limit = pipeline.data.rules.max_psi
    return [
        Finding(
            rule="max_psi",
            column=each.column,
            examples=_most_moved(each),
            message=f"{each.column!r} has drifted from batch {view.batch}: its population stability index is "
            f"{each.psi:.2f}, and rules.max_psi allows {limit:g}{_way_on(pipeline)}",
        )
        for each in view.columns
        if each.psi is not None and each.beyond_chance and not each.expected and each.psi > (limit or 0)
    ]


def _most_moved(column: ColumnDrift) -> list[str]:
    def share(each: DriftBin) -> float:
        return abs(each.now - each.before)

    most = sorted(column.bins, key=share, reverse=True)[:_SHOWN_BINS]
    return [f"{each.label}: {each.before:.1%} before, {each.now:.1%} now" for each in most]


def _way_on(pipeline: Pipeline) -> str:
    """Say how a change that is meant gets in."""
    refused = pipeline.data.rules.on_change == "refuse"
    return (
        "; if the change is meant, apply the pipeline with rules.on_change: warn, and send the file again"
        if refused
        else ""
    )
