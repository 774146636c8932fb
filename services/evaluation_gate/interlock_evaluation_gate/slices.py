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
from interlock_evaluation_gate.slicing import Slicing, slicing

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
        reports[declared.name] = [
            _report(pipeline, candidate, champion, label, cut.rows(place)) for place, label in enumerate(cut.labels)
        ]
        judged += _excesses(pipeline, candidate, champion, declared, cut)
        notes += _weakest(pipeline.champion.metric, declared.name, reports[declared.name])
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


def _report(
    pipeline: Pipeline, candidate: Measured, champion: Measured | None, value: str, rows: NDArray[np.bool_]
) -> SliceReport:
    ours, theirs = (
        finite({name: each.metric(name, rows) for name in metrics_of(pipeline)}) if each else None
        for each in (candidate, champion)
    )
    interval = _interval(pipeline, candidate, rows)
    return SliceReport(value=value, rows=int(rows.sum()), metrics=ours or {}, champion=theirs, interval=interval)


def _excesses(
    pipeline: Pipeline, candidate: Measured, champion: Measured | None, declared: Slice, cut: Slicing
) -> Iterator[Excess]:
    """Yield what is declared of each slice that has rows enough, where it can be measured."""
    metric = pipeline.champion.metric
    for place, label in enumerate(cut.labels):
        rows = cut.rows(place)
        count = int(rows.sum())
        where = f"{declared.name} {label} ({count:,} rows)"
        if count < max(2, declared.min_rows):
            continue
        if declared.bias is not None:
            errors = candidate.scores[rows] - candidate.target[rows]
            bias, error = float(errors.mean()), float(errors.std(ddof=1) / np.sqrt(count))
            yield Excess(f"bias in {where} is {bias:+.6g}", count, abs(bias), error, declared.bias.max)
        if declared.no_worse_than is not None and champion is not None:
            loss = -float(METRICS[metric].gain(candidate.metric(metric, rows), champion.metric(metric, rows)))
            of_gain = _error_of_gain(metric, candidate, champion, rows)
            if of_gain is not None:
                words = f"{metric} in {where} is {loss:.6g} worse than the champion's"
                yield Excess(words, count, loss, of_gain, declared.no_worse_than)


def _error_of_gain(
    metric: MetricName, candidate: Measured, champion: Measured, rows: NDArray[np.bool_]
) -> float | None:
    """Return the standard error of the gain on some rows, which both answer; None where it is undefined on them."""
    signed = []
    for each in (candidate, champion):
        influence = influence_on(each, metric, rows)
        if influence is None:
            return None
        signed.append(sign_of(METRICS[metric], each.metric(metric, rows)) * influence)
    ours, theirs = signed
    return float((ours - theirs).std(ddof=1) / np.sqrt(len(ours)))


def _interval(pipeline: Pipeline, measured: Measured, chosen: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Return the interval of the deciding metric on some rows; None of too few."""
    if int(chosen.sum()) < NOTED_ROWS:
        return None
    bounds = bounds_of(measured, pipeline.champion.metric, pipeline.champion.confidence, chosen)
    return None if bounds is None else (bounds[0].plain, -bounds[1].plain)


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
