"""Measures what would be served: the exported artifact, on held-out rows."""

import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from interlock_artifacts import ArtifactStore, CorruptArtifactError, MissingArtifactError
from interlock_contracts.models import ModelRegistered
from interlock_contracts.pipeline import CLASSIFICATION_METRICS, REGRESSION_METRICS, Pipeline
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.report import GainReport, GateCheck, GateReport, Histogram, SliceReport
from interlock_modeling import METRICS, Model
from interlock_modeling.split import ROW_COLUMN, in_union
from interlock_serving.loading import Loader
from interlock_serving.smoke_test.client import RefusedModelError
from numpy.typing import NDArray

from interlock_evaluation_gate.champion import NotComparableError, as_champion_reads
from interlock_evaluation_gate.domain import Gain, NotCompared, judge
from interlock_evaluation_gate.plots import histogram, plots

RESAMPLES = 2000
AT_ONCE = 4_000_000
"""Cells of the resampling matrix in memory at a time: 32 MB."""

LATENCY_ROWS = 300
MOST_SLICES = 30


def evaluate(event: ModelRegistered, artifacts: ArtifactStore, loader: Loader) -> GateReport:
    """Return the report on a candidate; takes seconds, so call it in a thread.

    Raises:
        RefusedModelError: the candidate does not stand its trial in a process of its own.
        CorruptArtifactError, MissingArtifactError: stored bytes are not what their reference says.
        ValueError: the artifact or the holdout cannot be read.
        ConnectionError: the object store does not answer.
    """
    pipeline = Pipeline.model_validate_json(artifacts.fetch(event.spec))
    with tempfile.TemporaryDirectory(prefix="interlock-gate-") as folder:
        holdout = _holdout(event.holdouts, artifacts, Path(folder))
        candidate = loader.load(event)
        measured = _Measured(candidate, holdout)
        scores = {name: measured.metric(name) for name in _metrics(pipeline)}
        champion, gain, resampled = _compared(event, pipeline, measured, holdout, loader)
        latency = _latency_p99_ms(candidate, holdout)
        verdict = judge(pipeline, scores, gain, latency)
        return GateReport(
            passed=verdict.passed,
            needs_approval=verdict.needs_approval,
            reasons=verdict.reasons,
            checks=[GateCheck(passed=check.passed, text=check.text) for check in verdict.checks],
            rows=holdout.num_rows,
            metrics=_finite(scores),
            metric=pipeline.champion.metric,
            champion=_reported(gain, resampled) if isinstance(gain, Gain) else None,
            confidence=pipeline.champion.confidence,
            min_improvement=pipeline.champion.min_improvement,
            latency_p99_ms=latency,
            slices={each: _slices(pipeline, measured, champion, holdout, each) for each in pipeline.gate.slices},
            plots=plots(candidate.signature, measured.target, measured.scores),
        )


class _Measured:
    """A model's answers to the holdout, beside the truth in the model's own labels."""

    def __init__(self, model: Model, holdout: pa.Table) -> None:
        self.signature = model.signature
        self.target = model.signature.targets(holdout)
        self.scores = model.predict_table(holdout).scores
        if not np.isfinite(self.scores).all():
            raise ValueError("the model answers some held-out rows with numbers that are not finite")

    @property
    def rarest(self) -> int | None:
        """Return how many rows the rarest label has; None for a regression."""
        labels = self.signature.labels
        return int(np.bincount(self.target[self.target >= 0], minlength=len(labels)).min()) if labels else None

    def metric(self, name: Any, rows: NDArray[np.bool_] | slice = slice(None)) -> float:
        return METRICS[name].value(self.target[rows], self.scores[rows])


def _metrics(pipeline: Pipeline) -> tuple[Any, ...]:
    return REGRESSION_METRICS if pipeline.task == "regression" else CLASSIFICATION_METRICS


def _holdout(refs: list[ArtifactRef], artifacts: ArtifactStore, folder: Path) -> pa.Table:
    """Return the union of the holdout parts: each row as often as the file that has it most often."""
    tables = []
    for number, ref in enumerate(refs):
        path = folder / f"holdout-{number}.parquet"
        artifacts.fetch_file(ref, path)
        tables.append(pq.read_table(path))
    kept = in_union([table.column(ROW_COLUMN).to_numpy() for table in tables])
    union = pa.concat_tables(tables).filter(pa.array(kept))
    if union.num_rows == 0:
        raise ValueError("the holdout has no rows")
    return union


def _compared(
    event: ModelRegistered, pipeline: Pipeline, candidate: _Measured, holdout: pa.Table, loader: Loader
) -> tuple["_Measured | None", Gain | NotCompared | None, Histogram | None]:
    """Measure the champion, if there is one, on the candidate's rows as its own version reads them."""
    if event.champion is None:
        return None, None, None
    version = event.champion.version
    try:
        model = loader.load(event.champion)
        champion = _Measured(model, as_champion_reads(holdout, model, candidate.signature))
    except (NotComparableError, CorruptArtifactError, MissingArtifactError, RefusedModelError, ValueError) as error:
        return None, NotCompared(version, str(error)), None
    return champion, *_gain(pipeline, version, candidate, champion)


def _gain(pipeline: Pipeline, version: int, candidate: _Measured, champion: _Measured) -> tuple[Gain, Histogram | None]:
    """Return the gain with the lower bound of its one-sided interval, and the resampled gains it comes from.

    Percentile bootstrap over pairs (Efron and Tibshirani, An Introduction to the Bootstrap, ch. 13): both models
    answer the same resampled rows, so what is easy or hard about the rows cancels out. A resample in which the metric
    is not defined, for it has rows of one label only, is left out; where that is every second one, there is no bound.
    """
    metric = METRICS[pipeline.champion.metric]
    rows = len(candidate.target)
    random = np.random.default_rng(pipeline.training.seed)
    gains: list[NDArray[np.float64]] = []
    for start in range(0, RESAMPLES, step := max(1, AT_ONCE // rows)):
        draws = [random.integers(0, rows, rows) for _ in range(min(step, RESAMPLES - start))]
        weights = np.stack([np.bincount(draw, minlength=rows) for draw in draws]).astype(np.float64)
        gains.append(
            metric.gain(
                metric.resampled(candidate.target, candidate.scores, weights),
                metric.resampled(champion.target, champion.scores, weights),
            )
        )
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


def _reported(gain: Gain, resampled: Histogram | None) -> GainReport:
    numbers = {name: getattr(gain, name) for name in ("candidate", "champion", "gain", "lower")}
    return GainReport(version=gain.version, **_finite(numbers), left_out=gain.left_out, resampled=resampled)


def _latency_p99_ms(model: Model, holdout: pa.Table) -> float:
    """Return the 99th percentile of answering one row at a time, in milliseconds, after a warm-up."""
    names = [feature.name for feature in model.signature.features]
    rows = [_as_json(row) for row in holdout.select(names).slice(0, LATENCY_ROWS).to_pylist()]
    for row in rows[:20]:
        model.predict_rows([row])
    taken = []
    for row in rows:
        begin = time.perf_counter()
        model.predict_rows([row])
        taken.append(time.perf_counter() - begin)
    return float(np.quantile(taken, 0.99) * 1000)


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def _slices(
    pipeline: Pipeline, candidate: _Measured, champion: _Measured | None, holdout: pa.Table, column: str
) -> list[SliceReport]:
    values = holdout.column(column).to_pylist()
    counts: dict[Any, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    most = sorted(counts, key=lambda value: -counts[value])[:MOST_SLICES]
    result = []
    for value in most:
        rows = np.fromiter((each == value for each in values), dtype=np.bool_, count=len(values))
        ours, theirs = (
            _finite({name: each.metric(name, rows) for name in _metrics(pipeline)}) if each else None
            for each in (candidate, champion)
        )
        result.append(SliceReport(value=str(value), rows=counts[value], metrics=ours or {}, champion=theirs))
    return result


def _finite(numbers: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers with null for what is not defined on these rows; JSON has no NaN."""
    return {name: value if np.isfinite(value) else None for name, value in numbers.items()}
