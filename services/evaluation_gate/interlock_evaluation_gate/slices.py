"""Slices: metrics by the values of a column, and their sentences in the report."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.gate import MetricName
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.report import SliceReport
from interlock_modeling import METRICS
from numpy.typing import NDArray

from interlock_evaluation_gate.measured import Measured, finite, metrics_of, resamples

MOST_SLICES = 30
NOTED_ROWS = 30
"""A slice of fewer rows is listed, but not named in words, nor with an interval: its metric is mostly chance."""

RESAMPLES = 200


def slices_by(
    pipeline: Pipeline, candidate: Measured, champion: Measured | None, holdout: pa.Table, column: str
) -> list[SliceReport]:
    """Return the metrics in each of the most frequent values of ``column``, the most frequent first."""
    values = holdout.column(column).to_pylist()
    counts: dict[Any, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    most = sorted(counts, key=lambda value: -counts[value])[:MOST_SLICES]
    result = []
    for value in most:
        rows = np.fromiter((each == value for each in values), dtype=np.bool_, count=len(values))
        ours, theirs = (
            finite({name: each.metric(name, rows) for name in metrics_of(pipeline)}) if each else None
            for each in (candidate, champion)
        )
        interval = _interval(pipeline, candidate, rows)
        result.append(
            SliceReport(value=str(value), rows=counts[value], metrics=ours or {}, champion=theirs, interval=interval)
        )
    return result


def _interval(pipeline: Pipeline, measured: Measured, chosen: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Return the percentile bootstrap's interval of the deciding metric on some rows; None of too few.

    Resamples in which the metric is undefined are left out; where that is every second one, there is no interval.
    """
    rows = int(chosen.sum())
    if rows < NOTED_ROWS:
        return None
    metric = METRICS[pipeline.champion.metric].at(measured.quantile)
    target, scores = measured.target[chosen], measured.scores[chosen]
    decided = None if measured.decided is None else measured.decided[chosen]
    random = np.random.default_rng(pipeline.training.seed)
    drawn = np.concatenate(
        [metric.resampled(target, scores, weights, decided) for weights in resamples(rows, RESAMPLES, random)]
    )
    values = drawn[np.isfinite(drawn)]
    if 2 * len(values) <= len(drawn):
        return None
    outside = (1 - pipeline.champion.confidence) / 2
    low, high = np.quantile(values, [outside, 1 - outside]).tolist()
    return low, high


def notes(metric: MetricName, scores: Mapping[str, float], slices: dict[str, list[SliceReport]]) -> list[str]:
    """Return what a person should know who decides: the bias, and by each column the slice with the worst metric."""
    bias = [f"bias on the holdout is {scores['bias']:+.6g}"] if "bias" in scores else []
    return [*bias, *(note for column, found in slices.items() for note in _weakest(metric, column, found))]


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
