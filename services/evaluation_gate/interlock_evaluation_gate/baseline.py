"""What a first version has to beat: the constant that answers these rows best; and the rows that a verdict needs."""

from copy import copy

import numpy as np
from interlock_contracts.gate import Champion, MetricName
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.report import BaselineReport
from interlock_modeling.signature import label_names
from numpy.typing import NDArray

from interlock_evaluation_gate.domain import Check, is_better
from interlock_evaluation_gate.gain import gain_over
from interlock_evaluation_gate.measured import Measured, finite, metrics_of

MET_BY_A_CONSTANT: tuple[MetricName, ...] = ("bias", "calibration_error", "recall")
"""Metrics in which a constant can be without fault, so that nothing is better."""

DEFAULT_POSITIVES = 5
"""Rows that the rarer of two labels needs, where the pipeline declares nothing."""

_BINARY = 2


def baseline_of(candidate: Measured) -> tuple[Measured, str]:
    """Return the constant's answers to the candidate's rows, and in words what they are.

    It is the one that does best on these very rows: their mean, or the quantile that is asked for; of labels their
    frequencies, of which the most frequent is predicted. So no constant of the training rows is harder to beat.
    """
    baseline, target = copy(candidate), candidate.target
    if candidate.signature.labels is None:
        quantile = candidate.quantile
        constant = float(target.mean() if quantile is None else np.quantile(target, quantile))
        baseline.scores = np.full(len(target), constant)
        return baseline, f"the held-out rows' {'mean' if quantile is None else f'{quantile:g} quantile'} {constant:.6g}"
    counts = np.bincount(target[target >= 0], minlength=len(candidate.signature.labels))
    baseline.scores = np.tile(counts / max(1, counts.sum()), (len(target), 1))
    baseline.decided = np.full(len(target), counts.argmax())
    most = label_names(candidate.signature.labels)[counts.argmax()]
    return baseline, f"the labels' frequencies in the held-out rows, and their most frequent one, {most!r}"


def against_baseline(
    pipeline: Pipeline, candidate: Measured, groups: NDArray[np.uint64] | None = None
) -> tuple[Check, BaselineReport]:
    """Return whether a first version is surely better than a constant, and the numbers; rows of a group count as one.

    The metric is the one by which versions are compared, unless a constant can be without fault in it, or it is not
    defined on these rows: then R2, or the log loss. Who lets a candidate be worse than the champion, by a negative
    ``min_improvement``, lets a first version be so much worse than a constant.
    """
    baseline, answer = baseline_of(candidate)
    rule = pipeline.champion
    required = min(0.0, rule.min_improvement)
    values = [each.metric(rule.metric) for each in (candidate, baseline)]
    if rule.metric in MET_BY_A_CONSTANT or not np.isfinite(values).all():
        metric: MetricName = "log_loss" if candidate.signature.labels else "r2"
        rule, required = Champion(metric=metric, confidence=rule.confidence), 0.0
        pipeline = pipeline.model_copy(update={"gate": pipeline.gate.model_copy(update={"champion": rule})})
    gain, _ = gain_over(pipeline, 0, None, candidate, baseline, groups=groups)
    numbers = {"candidate": gain.candidate, "baseline": gain.champion, "gain": gain.gain, "lower": gain.lower}
    theirs: dict[str, float] = {name: baseline.metric(name) for name in metrics_of(pipeline)}
    report = BaselineReport(
        answer=answer, metric=rule.metric, level=gain.level, **finite(numbers), metrics=finite(theirs)
    )
    return is_better(rule, gain, f"the baseline, a constant ({answer})", required), report


def enough_rows(pipeline: Pipeline, candidate: Measured) -> list[Check]:
    """Return what is missing where the held-out rows, or those of the rarest label, are fewer than declared."""
    gate, rows, rarest = pipeline.gate, len(candidate.target), candidate.rarest
    checks = []
    if rows < gate.min_holdout_rows:
        checks.append(
            f"{rows} held-out rows are too few to judge by: gate.min_holdout_rows is {gate.min_holdout_rows}. Bring "
            "more data, hold out a greater data.holdout.fraction, or declare fewer"
        )
    least = gate.min_holdout_positives
    if least is None:
        least = DEFAULT_POSITIVES if len(candidate.signature.labels or ()) == _BINARY else 0
    if rarest is not None and rarest < least:
        checks.append(
            f"{rarest} held-out rows of the rarest label are too few to judge by: gate.min_holdout_positives is "
            f"{least}. Bring more rows of it, hold out a greater data.holdout.fraction, or declare fewer"
        )
    return [Check(passed=False, text=text) for text in checks]
