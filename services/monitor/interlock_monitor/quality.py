"""Live quality: metrics over the predictions with ground truth, by version and time bucket."""

import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from interlock_contracts.gate import CLASSIFICATION_METRICS, REGRESSION_METRICS, MetricName
from interlock_contracts.predictions import Actual
from interlock_contracts.quality import Measured, QualityBucket, VersionQuality
from interlock_modeling import METRICS

from interlock_monitor.domain import Count, Pair

MAX_PAIRS = 100_000
"""Joined rows measured by one request, the newest of the window: about a second of work."""

Labels = Sequence[Any] | None


def by_version(
    labels: Mapping[int, Labels],
    counts: Iterable[Count],
    joined: Mapping[tuple[int, datetime], int],
    pairs: Iterable[Pair],
    *,
    since: datetime,
    bucket: timedelta,
) -> list[VersionQuality]:
    """Return each version's counts and metrics, the newest version first, its buckets by time.

    ``since`` is where the first bucket begins; ``pairs`` may be a sample of the ``joined`` rows.
    """
    counted = {(count.version, count.start): count for count in counts}
    paired: dict[tuple[int, datetime], list[Pair]] = defaultdict(list)
    for pair in pairs:
        if not is_comparable(labels.get(pair.version), pair):
            continue
        paired[pair.version, since + (pair.at - since) // bucket * bucket].append(pair)
    found = sorted({*counted, *joined, *paired})
    return [
        _version(
            version,
            labels.get(version),
            [
                (start, counted.get((version, start)), joined.get((version, start), 0), paired[version, start])
                for each, start in found
                if each == version
            ],
        )
        for version in sorted({version for version, _ in found}, reverse=True)
    ]


def _version(
    version: int, labels: Labels, buckets: Sequence[tuple[datetime, Count | None, int, list[Pair]]]
) -> VersionQuality:
    known = [count for _, count, _, _ in buckets if count is not None]
    whole = _measure(labels, known, sum(each[2] for each in buckets), [pair for each in buckets for pair in each[3]])
    parts = [
        QualityBucket(start=start, **_measure(labels, [count] if count else [], joined, pairs).model_dump())
        for start, count, joined, pairs in buckets
    ]
    return VersionQuality(version=version, buckets=parts, **whole.model_dump())


def _measure(labels: Labels, counts: Sequence[Count], joined: int, pairs: Sequence[Pair]) -> Measured:
    logged = sum(count.logged for count in counts)
    return Measured(
        answered=sum(count.answered for count in counts),
        dropped=sum(count.dropped for count in counts),
        logged=logged,
        joined=joined,
        coverage=min(joined / logged, 1.0) if logged else None,
        n=len(pairs),
        metrics=metrics(labels, pairs),
    )


def metrics(labels: Labels, pairs: Sequence[Pair]) -> dict[MetricName, float | None]:
    """Return every metric of the task over ``pairs``, None where one is not defined for them, nothing without pairs.

    Ground truth that is none of the model's labels counts as a miss, as on the gate's holdout. The quantile of a
    regression is not in the log, so ``pinball_loss`` is not among them.
    """
    if not pairs:
        return {}
    names = CLASSIFICATION_METRICS
    if labels is None:
        names = tuple(each for each in REGRESSION_METRICS if each != "pinball_loss")
    decided = None
    if labels is None:
        target = np.array([pair.actual for pair in pairs], dtype=np.float64)
        scores = np.array([pair.answer for pair in pairs], dtype=np.float64)
    else:
        places = {(type(label), label): place for place, label in enumerate(labels)}
        target = np.array([places.get(_label(pair.actual), -1) for pair in pairs], dtype=np.int64)
        scores = np.array([pair.probabilities for pair in pairs], dtype=np.float64)
        decided = np.array([places.get(_label(pair.answer), -1) for pair in pairs], dtype=np.int64)
    with np.errstate(over="ignore", invalid="ignore"):  # of very large numbers some metrics are not defined
        values = {name: METRICS[name].value(target, scores, decided) for name in names}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def is_comparable(labels: Labels, pair: Pair) -> bool:
    """Return whether ground truth and answer are of the version's task; neither is validated when it is logged."""
    if labels is None:
        return _is_number(pair.actual) and _is_number(pair.answer)
    return pair.probabilities is not None and len(pair.probabilities) == len(labels)


def _is_number(value: Actual) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _label(actual: Actual) -> tuple[type, Actual]:
    """Return ground truth as a label with its type: 1.0 is the label 1, but neither "1" nor true."""
    whole = int(actual) if isinstance(actual, float) and actual.is_integer() else actual
    return type(whole), whole
