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
from interlock_modeling import METRICS, Model
from interlock_modeling.split import ROW_COLUMN, in_union
from interlock_serving.loading import Loader
from interlock_serving.smoke_test.client import RefusedModelError

from interlock_evaluation_gate.champion import NotComparableError, as_champion_reads
from interlock_evaluation_gate.domain import Gain, NotCompared, judge
from interlock_evaluation_gate.importance import permutation_importance
from interlock_evaluation_gate.leaks import leak_notes
from interlock_evaluation_gate.measured import Measured, finite, metrics_of, resamples
from interlock_evaluation_gate.plots import histogram, plots
from interlock_evaluation_gate.slices import notes, slices_by
from interlock_evaluation_gate.trained_rows import Disjointness, disjointness, trained_rows

RESAMPLES = 2000
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
        champion, gain, resampled = _compared(event, pipeline, measured, loader, apart)
        latency = _latency_p99_ms(candidate, holdout)
        verdict = judge(pipeline, scores, gain, latency, apart.checks)
        beside = champion if isinstance(gain, Gain) and gain.rows == holdout.num_rows else None
        slices = {each: slices_by(pipeline, measured, beside, holdout, each) for each in pipeline.gate.slices}
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
            confidence=pipeline.champion.confidence,
            min_improvement=pipeline.champion.min_improvement,
            latency_p99_ms=latency,
            notes=[
                *notes(pipeline.champion.metric, scores, slices),
                *apart.notes(gain),
                *leak_notes(pipeline, holdout),
            ],
            slices=slices,
            plots=plots(candidate.signature, measured.target, measured.scores),
            importance=permutation_importance(pipeline, candidate, holdout),
        )


def _holdout(refs: list[ArtifactRef], artifacts: ArtifactStore, folder: Path) -> pa.Table:
    """Return the union of the holdout parts: each row as often as the file that has it most often."""
    tables: list[pa.Table] = []
    for number, ref in enumerate(refs):
        path = folder / f"holdout-{number}.parquet"
        try:
            artifacts.fetch_file(ref, path)
        except MissingArtifactError as error:
            gone = "rows of its holdout are not stored any more, as when their dataset was deleted"
            raise MissingArtifactError(f"{gone}: {error}") from error
        table = pq.read_table(path)
        # Files of several specs differ in the order of their columns.
        tables.append(table.select(tables[0].column_names if tables else table.column_names))
    kept = in_union([table.column(ROW_COLUMN).to_numpy() for table in tables])
    union = pa.concat_tables(tables).filter(pa.array(kept))
    if union.num_rows == 0:
        raise ValueError("the holdout has no rows")
    return union


def _compared(
    event: ModelRegistered, pipeline: Pipeline, candidate: Measured, loader: Loader, apart: Disjointness
) -> tuple["Measured | None", Gain | NotCompared | None, Histogram | None]:
    """Measure the champion, if there is one, on the candidate's rows as its own version reads them.

    Left out are rows that only one of the two has trained on.
    """
    if event.champion is None:
        return None, None, None
    version = event.champion.version
    try:
        model = loader.load(event.champion)
        champion = Measured(model, as_champion_reads(apart.holdout, model, candidate.signature), candidate.quantile)
        trained = trained_rows(event.champion.manifest, apart.holdout, apart.artifacts)
        rows = apart.comparable(trained)
    except (NotComparableError, CorruptArtifactError, MissingArtifactError, RefusedModelError, ValueError) as error:
        return None, NotCompared(version, str(error)), None
    champion = champion.on(rows)
    gain, resampled = _gain(pipeline, version, candidate.on(rows), champion)
    known = None if trained is None else int(trained.sum())
    return champion, replace(gain, rows=int(rows.sum()), trained_on=known), resampled


def _gain(pipeline: Pipeline, version: int, candidate: Measured, champion: Measured) -> tuple[Gain, Histogram | None]:
    """Return the gain with the lower bound of its one-sided interval, and the resampled gains it comes from.

    Percentile bootstrap over pairs (Efron and Tibshirani, An Introduction to the Bootstrap, ch. 13): both models
    answer the same resampled rows, so what is easy or hard about the rows cancels out. A resample in which the metric
    is not defined, for it has rows of one label only, is left out; where that is every second one, there is no bound.
    """
    metric = METRICS[pipeline.champion.metric].at(candidate.quantile)
    rows = len(candidate.target)
    random = np.random.default_rng(pipeline.training.seed)
    gains = [
        metric.gain(
            metric.resampled(candidate.target, candidate.scores, weights, candidate.decided),
            metric.resampled(champion.target, champion.scores, weights, champion.decided),
        )
        for weights in resamples(rows, RESAMPLES, random)
    ]
    ours, theirs = candidate.metric(metric.name), champion.metric(metric.name)
    drawn = np.concatenate(gains)
    resampled = drawn[np.isfinite(drawn)]
    enough = 2 * len(resampled) > len(drawn)
    gain = Gain(
        version,
        ours,
        theirs,
        float(metric.gain(ours, theirs)),
        lower=float(np.quantile(resampled, 1 - pipeline.champion.confidence)) if enough else float("nan"),
        left_out=len(drawn) - len(resampled),
        rarest=candidate.rarest,
    )
    return gain, histogram(resampled)


def _reported(pipeline: Pipeline, gain: Gain, champion: Measured, resampled: Histogram | None) -> GainReport:
    numbers = {name: getattr(gain, name) for name in ("candidate", "champion", "gain", "lower")}
    theirs = finite({name: champion.metric(name) for name in metrics_of(pipeline)})
    return GainReport(
        version=gain.version,
        rows=gain.rows,
        trained_on=gain.trained_on,
        **finite(numbers),
        metrics=theirs,
        left_out=gain.left_out,
        resampled=resampled,
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
