"""Slices: metrics by the values of one column or two, what is declared of each, and their sentences in the report."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pyarrow as pa
from interlock_contracts.gate import MetricName
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.report import SliceReport
from interlock_contracts.slices import Slice
from interlock_modeling import METRICS
from numpy.typing import NDArray

from interlock_evaluation_gate.domain import Check
from interlock_evaluation_gate.gain import sign_of
from interlock_evaluation_gate.intervals import bounds_of, influence_on
from interlock_evaluation_gate.measured import Measured, finite, metrics_of
from interlock_evaluation_gate.slicing import slicing

Floats = NDArray[np.float64]

NOTED_ROWS = 30
"""A slice of fewer rows is listed, but not named in words, nor with an interval: its metric is mostly chance."""


@dataclass(frozen=True)
class Excess:
    """How far a slice's estimate lies beyond its declared bound, with the estimate's standard error."""

    words: str
    rows: int
    estimate: float
    error: float
    bound: float

    def beyond(self, quantile: float = 0.0) -> bool:
        """Return whether it lies beyond by more than ``quantile`` standard errors."""
        return self.estimate - quantile * self.error > self.bound


@dataclass(frozen=True)
class Slices:
    """What is reported by slices' names, the checks that decide, and the sentences that do not."""

    reports: dict[str, list[SliceReport]]
    checks: list[Check]
    notes: list[str]


@dataclass(frozen=True)
class _Part:
    """The rows of one slice: what both models answer, and their metrics by name."""

    candidate: Measured
    champion: Measured | None
    ours: dict[str, float]
    theirs: dict[str, float]

    @property
    def rows(self) -> int:
        return len(self.candidate.target)


def measure_slices(pipeline: Pipeline, candidate: Measured, champion: Measured | None, holdout: pa.Table) -> Slices:
    """Measure both models in each declared slice, and judge what is declared of slices.

    A bound is missed where a slice lies beyond it with the champion's confidence, corrected for the number of slices
    that are judged (Bonferroni), by the normal approximation: of many small slices some lie beyond any bound by chance.
    Those that lie beyond it within chance are named in the notes.
    """
    reports: dict[str, list[SliceReport]] = {}
    judged: list[Excess] = []
    notes: list[str] = []
    for declared in pipeline.gate.sliced:
        cut = slicing(holdout, declared)
        found = reports[declared.name] = []
        for label, rows in zip(cut.labels, cut.rows(), strict=True):
            part = _part(pipeline, candidate.on(rows), None if champion is None else champion.on(rows))
            influence = influence_on(part.candidate, pipeline.champion.metric, part.ours[pipeline.champion.metric])
            found.append(_report(pipeline, label, part, influence))
            judged += _excesses(pipeline, declared, label, part, influence)
        notes += _weakest(pipeline.champion.metric, declared.name, found)
    if not judged:
        return Slices(reports, [], notes)
    quantile = NormalDist().inv_cdf(1 - (1 - pipeline.champion.confidence) / len(judged))
    sure = [each for each in judged if each.beyond(quantile)]
    perhaps = [each for each in judged if each.beyond() and each not in sure]
    notes += [f"{_told(each)}; its {each.rows:,} rows cannot tell that from chance" for each in perhaps]
    kept = f"{len(judged)} declared bounds of slices are kept" if len(judged) > 1 else "the slice's bound is kept"
    return Slices(reports, [Check(passed=False, text=_told(each)) for each in sure] or [Check(True, kept)], notes)


def _told(excess: Excess) -> str:
    return f"{excess.words}, but at most {excess.bound:g} is allowed"


def _part(pipeline: Pipeline, candidate: Measured, champion: Measured | None) -> _Part:
    names = metrics_of(pipeline)
    ours: dict[str, float] = {name: candidate.metric(name) for name in names}
    theirs: dict[str, float] = {name: champion.metric(name) for name in names} if champion else {}
    return _Part(candidate, champion, ours, theirs)


def _report(pipeline: Pipeline, value: str, part: _Part, influence: Floats | None) -> SliceReport:
    """Return the slice's numbers, with the interval of the deciding metric where it has rows enough."""
    bounds = None
    if influence is not None and part.rows >= NOTED_ROWS:
        bounds = bounds_of(part.ours[pipeline.champion.metric], influence, pipeline.champion.confidence)
    return SliceReport(
        value=value,
        rows=part.rows,
        metrics=finite(part.ours),
        champion=finite(part.theirs) if part.champion else None,
        interval=None if bounds is None else (bounds[0].plain, -bounds[1].plain),
    )


def _excesses(
    pipeline: Pipeline, declared: Slice, label: str, part: _Part, influence: Floats | None
) -> Iterator[Excess]:
    """Yield what is declared of a slice that has rows enough, where it can be measured."""
    metric, count = pipeline.champion.metric, part.rows
    where = f"{declared.name} {label} ({count:,} rows)"
    if count < max(2, declared.min_rows):
        return
    if declared.bias is not None:
        errors = part.candidate.scores - part.candidate.target
        bias, error = float(errors.mean()), float(errors.std(ddof=1) / np.sqrt(count))
        yield Excess(f"bias in {where} is {bias:+.6g}", count, abs(bias), error, declared.bias.max)
    if declared.no_worse_than is not None and part.champion is not None and influence is not None:
        ours, theirs = part.ours[metric], part.theirs[metric]
        before = influence_on(part.champion, metric, theirs)
        if before is not None:
            loss = -float(METRICS[metric].gain(ours, theirs))
            words = f"{metric} in {where} is {loss:.6g} worse than the champion's"
            gains = sign_of(METRICS[metric], ours) * influence - sign_of(METRICS[metric], theirs) * before
            yield Excess(words, count, loss, float(gains.std(ddof=1) / np.sqrt(count)), declared.no_worse_than)


def _weakest(metric: MetricName, column: str, slices: list[SliceReport]) -> Iterator[str]:
    measured = [each for each in slices if each.rows >= NOTED_ROWS and each.metrics.get(metric) is not None]
    if len(measured) > 1:
        worst = min(measured, key=lambda each: METRICS[metric].utility(each.metrics[metric]))
        numbers = [
            f"{name} {worst.metrics[name]:.6g}" for name in (metric, "bias") if worst.metrics.get(name) is not None
        ]
        theirs = (worst.champion or {}).get(metric)
        against = f"; the champion's {metric} there is {theirs:.6g}" if theirs is not None else ""
        yield f"weakest by {column}: {worst.value} ({worst.rows:,} rows) with {', '.join(numbers)}{against}"
