"""Measures what would be served: the exported artifact, on held-out rows."""

import tempfile
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from interlock_artifacts import ArtifactStore, CorruptArtifactError, MissingArtifactError
from interlock_contracts.models import ModelRegistered
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.report import GainReport, GateCheck, GateReport, Histogram
from interlock_modeling import Model
from interlock_modeling.split import ROW_COLUMN, HashForm, form_of, in_union, row_hashes
from interlock_serving.loading import Loader
from interlock_serving.smoke_test.client import RefusedModelError
from numpy.typing import NDArray

from interlock_evaluation_gate.baseline import against_baseline, enough_rows
from interlock_evaluation_gate.champion import NotComparableError, as_champion_reads
from interlock_evaluation_gate.domain import Gain, NotCompared, judge
from interlock_evaluation_gate.gain import gain_over
from interlock_evaluation_gate.importance import permutation_importance
from interlock_evaluation_gate.intervals import threshold_intervals
from interlock_evaluation_gate.leaks import leak_notes
from interlock_evaluation_gate.measured import Measured, finite, metrics_of
from interlock_evaluation_gate.plots import plots
from interlock_evaluation_gate.segments import weakest_segments
from interlock_evaluation_gate.slices import measure_slices
from interlock_evaluation_gate.trained_rows import Disjointness, disjointness, trained_rows

LATENCY_ROWS = 300
LATENCY_ROUNDS = 5


def evaluate(event: ModelRegistered, artifacts: ArtifactStore, loader: Loader) -> GateReport:
    """Return the report on a candidate; takes seconds, so call it in a thread.

    Raises:
        RefusedModelError: the candidate fails the smoke test.
        CorruptArtifactError, MissingArtifactError: stored bytes are not what their reference says.
        ValueError: the artifact or the holdout cannot be read.
        ConnectionError: the object store does not answer.
    """
    pipeline = Pipeline.model_validate_json(artifacts.fetch(event.spec))
    with tempfile.TemporaryDirectory(prefix="interlock-gate-") as folder:
        holdout = _holdout(event.holdouts, artifacts, Path(folder))
        candidate = loader.load(event)
        measured = Measured(candidate, holdout, pipeline.training.quantile)
        scores: dict[str, float] = {name: measured.metric(name) for name in metrics_of(pipeline)}
        apart = disjointness(event, pipeline, holdout, artifacts)
        champion, rows, gain, resampled = _compared(event, pipeline, measured, loader, apart)
        latency = _latency_p99_ms(candidate, holdout)
        alike = slice(None) if rows is None else rows
        compared = measured.on(alike), champion, holdout if rows is None else holdout.filter(pa.array(rows))
        slices = measure_slices(pipeline, *compared)
        checks, baseline = [*slices.checks, *enough_rows(pipeline, measured)], None
        if event.champion is None:
            beaten, baseline = against_baseline(pipeline, measured, _groups(pipeline, holdout))
            checks.insert(0, beaten)
        intervals = threshold_intervals(pipeline, measured, scores)
        verdict = judge(pipeline, scores, gain, latency, intervals=intervals, refusals=apart.checks, more=checks)
        return GateReport(
            passed=verdict.passed,
            needs_approval=verdict.needs_approval,
            reasons=verdict.reasons,
            checks=[GateCheck(passed=check.passed, text=check.text) for check in verdict.checks],
            rows=holdout.num_rows,
            trained_on=apart.count,
            evaluation=event.evaluation,
            metrics=finite(scores),
            metric=pipeline.champion.metric,
            champion=_reported(pipeline, gain, champion, resampled) if isinstance(gain, Gain) and champion else None,
            confidence=round(1 - gain.level, 12) if isinstance(gain, Gain) else pipeline.champion.confidence,
            min_improvement=pipeline.champion.min_improvement,
            latency_p99_ms=latency,
            claim=event.claim,
            baseline=baseline,
            notes=[
                *_bias_note(scores),
                *slices.notes,
                *weakest_segments(pipeline, *compared),
                *apart.notes(gain),
                *leak_notes(pipeline, holdout),
            ],
            slices=slices.reports,
            plots=plots(candidate.signature, measured.target, measured.scores),
            importance=permutation_importance(pipeline, candidate, holdout),
        )


def _holdout(refs: list[ArtifactRef], artifacts: ArtifactStore, folder: Path) -> pa.Table:
    """Return the union of the holdout parts: each row as often as the file that has it most often."""
    tables: list[pa.Table] = []
    forms: set[HashForm] = set()
    for number, ref in enumerate(refs):
        path = folder / f"holdout-{number}.parquet"
        try:
            artifacts.fetch_file(ref, path)
        except MissingArtifactError as error:
            gone = "rows of its holdout are not stored any more, as when their dataset was deleted"
            raise MissingArtifactError(f"{gone}: {error}") from error
        table = pq.read_table(path)
        forms.add(form_of(table.schema))
        # Files of several specs differ in the order of their columns. Bets on the rows are in one order at every look.
        tables.append(table.select(tables[0].column_names if tables else table.column_names).sort_by(ROW_COLUMN))
    if len(forms) > 1:
        raise ValueError("the rows of its holdout are hashed in two forms, so nobody can tell which are equal")
    kept = in_union([table.column(ROW_COLUMN).to_numpy() for table in tables])
    union = pa.concat_tables(tables).filter(pa.array(kept))
    if union.num_rows == 0:
        raise ValueError("the holdout has no rows: of the files that were trained on, none has any that are held out")
    return union


def _compared(
    event: ModelRegistered, pipeline: Pipeline, candidate: Measured, loader: Loader, apart: Disjointness
) -> tuple[Measured | None, NDArray[np.bool_] | None, Gain | NotCompared | None, Histogram | None]:
    """Measure the champion, if there is one, on the candidate's rows as its own version reads them.

    Left out are rows that only one of the two has trained on; the champion on the others comes with which they are [n].
    """
    if event.champion is None:
        return None, None, None, None
    version = event.champion.version
    try:
        model = loader.load(event.champion)
        champion = Measured(model, as_champion_reads(apart.holdout, model, candidate.signature), candidate.quantile)
        trained = trained_rows(event.champion.manifest, apart.holdout, apart.artifacts)
        rows = apart.comparable(trained)
    except (NotComparableError, CorruptArtifactError, MissingArtifactError, RefusedModelError, ValueError) as error:
        return None, None, NotCompared(version, str(error)), None
    groups = _groups(pipeline, apart.holdout)
    champion = champion.on(rows)
    gain, resampled = gain_over(
        pipeline,
        version,
        event.claim,
        candidate.on(rows),
        champion,
        groups=None if groups is None else groups[rows],
    )
    known = None if trained is None else int(trained.sum())
    return champion, rows, replace(gain, rows=int(rows.sum()), trained_on=known), resampled


def _bias_note(scores: dict[str, float]) -> list[str]:
    return [f"bias on the holdout is {scores['bias']:+.6g}"] if "bias" in scores else []


def _groups(pipeline: Pipeline, holdout: pa.Table) -> NDArray[np.uint64] | None:
    """Return which rows the split keeps together [n], by their hash; None where each is one of its own."""
    names = pipeline.data.side_columns
    return row_hashes({name: holdout.column(name).combine_chunks() for name in names}) if names else None


def _reported(pipeline: Pipeline, gain: Gain, champion: Measured, resampled: Histogram | None) -> GainReport:
    names = ("candidate", "champion", "gain", "lower", "level", "deviation", "few")
    numbers = {name: getattr(gain, name) for name in names}
    theirs = finite({name: champion.metric(name) for name in metrics_of(pipeline)})
    return GainReport(
        version=gain.version,
        rows=gain.rows,
        trained_on=gain.trained_on,
        **finite(numbers),
        metrics=theirs,
        resampled=resampled,
        bounded=pipeline.champion.bounded,
        equal=gain.equal,
    )


def _latency_p99_ms(model: Model, holdout: pa.Table) -> float:
    """Return the 99th percentile of answering one row at a time, in milliseconds, after a warm-up.

    Of each row the best of several rounds counts, some time apart: the model is judged, not what else runs here.
    """
    names = [feature.name for feature in model.signature.features]
    rows = [_as_json(row) for row in holdout.select(names).slice(0, LATENCY_ROWS).to_pylist()]
    for row in rows[:20]:
        model.predict_rows([row])
    taken = np.array([[_seconds(model, row) for row in rows] for _ in range(LATENCY_ROUNDS)])
    return float(np.quantile(taken.min(axis=0), 0.99) * 1000)


def _seconds(model: Model, row: dict[str, Any]) -> float:
    begin = time.perf_counter()
    model.predict_rows([row])
    return time.perf_counter() - begin


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
