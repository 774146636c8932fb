"""The gain of a candidate over the champion on the same rows, with its lower bound."""

from math import log, sqrt

import numpy as np
from interlock_contracts.gate import Champion
from interlock_contracts.ledger import Claim
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.report import Histogram
from interlock_modeling import METRICS
from interlock_modeling.metrics import Metric
from numpy.typing import NDArray

from interlock_evaluation_gate.bound import lower_by_betting, lower_by_influence, of_groups
from interlock_evaluation_gate.domain import Gain
from interlock_evaluation_gate.influence import influences
from interlock_evaluation_gate.measured import Measured, on_scale
from interlock_evaluation_gate.plots import histogram

Floats = NDArray[np.float64]

RESAMPLES = 2000
GROUPS = 2000
"""Of more rows, those of similar influence are drawn together: what is drawn of them is a picture, no verdict."""


def gain_over(
    pipeline: Pipeline,
    version: int,
    claim: Claim | None,
    candidate: Measured,
    champion: Measured,
    *,
    groups: NDArray[np.uint64] | None = None,
) -> tuple[Gain, Histogram | None]:
    """Return the gain over the champion ``version``, and gains of resampled rows.

    Its bound errs as often as the ledger allows the ``claim``; without one, as the pipeline's confidence says. Both
    models answer the same rows, so what is easy or hard about the rows cancels out. The rows are in a stable order,
    later files after earlier ones; those of one of the ``groups`` [n] are drawn together, so that it is groups that
    count. Bets are made where each row is drawn alone.
    """
    rule = pipeline.champion
    level = claim.level if claim else 1 - rule.confidence
    metric = METRICS[rule.metric].at(candidate.quantile)
    sides = [(on_scale(rule, each), each.decided) for each in (candidate, champion)]
    ours, theirs = (metric.value(target, scores, decided) for (target, scores), decided in sides)
    gain = Gain(
        version,
        ours,
        theirs,
        float(metric.gain(ours, theirs)),
        float("nan"),
        level,
        rarest=candidate.rarest,
        claim=claim,
    )
    binary = candidate.signature.labels is not None and len(candidate.signature.labels) == 2  # noqa: PLR2004
    if not np.isfinite(gain.gain) or (binary and not candidate.rarest and not rule.bounded):
        return gain, None
    signs = [sign_of(metric, value) for value in (ours, theirs)]
    each, before = (
        sign * influences(metric, target, scores, decided)
        for sign, ((target, scores), decided) in zip(signs, sides, strict=True)
    )
    influence = each - before if groups is None else of_groups(each - before, groups)
    rarest = (candidate.rarest or 1) / max(1, int(np.count_nonzero(candidate.target >= 0))) if binary else 1.0
    found = lower_by_influence(gain.gain, influence, level, rarest=rarest)
    gain = gain.bounded_by(
        found.lower,
        plain=found.plain,
        few=found.few,
        deviation=float(influence.std()),
        equal=bool(np.array_equal(candidate.scores, champion.scores)) and _same_labels(candidate, champion),
    )
    if rule.bounded and len(influence) == len(candidate.target):
        lower = _lower_by_betting(rule, metric, level, candidate, champion)
        gain = gain.bounded_by(lower, plain=lower, few=found.few, deviation=gain.deviation, equal=gain.equal)
    return gain, histogram(_resampled(gain.gain, influence, pipeline.training.seed))


def sign_of(metric: Metric, value: float) -> float:
    """Return by how much ``metric.utility`` rises with the metric at ``value``."""
    if metric.better == "zero":
        return -float(np.sign(value))
    return 1.0 if metric.better == "higher" else -1.0


def _same_labels(candidate: Measured, champion: Measured) -> bool:
    if candidate.decided is None or champion.decided is None:
        return True
    return bool(np.array_equal(candidate.decided, champion.decided))


def _lower_by_betting(rule: Champion, metric: Metric, level: float, candidate: Measured, champion: Measured) -> float:
    """Return the lower bound of the gain, in the metric's unit, where one row's gain is bounded.

    Of rmse and r2 it is a bound of the difference of the mean squared errors, put in the metric's unit by the
    champion's error and the target's variance on these rows: its sign is exact, its size as exact as they are.
    """
    assert metric.by_row is not None, "checked by the contract"
    rows = []
    for each in (candidate, champion):
        target, scores = on_scale(rule, each)
        if metric.by_label and each.decided is not None:
            scores = (each.decided[:, None] == np.arange(scores.shape[1])).astype(np.float64)
        rows.append(metric.by_row(target, scores))
    ours, theirs = rows
    gains = ours - theirs if metric.name == "accuracy" else theirs - ours
    widest = _widest(rule, metric, candidate)
    lower = widest * (2 * lower_by_betting((gains / widest + 1) / 2, level) - 1)
    if metric.name == "r2":
        variance = float(on_scale(rule, candidate)[0].var())
        return lower / variance if variance > 0 else float("nan")
    if metric.name == "rmse":
        error = float(theirs.mean())
        return sqrt(error) - sqrt(max(error - lower, 0.0))
    return lower


def _widest(rule: Champion, metric: Metric, candidate: Measured) -> float:
    """Return how far the values of one row can lie apart at most."""
    if metric.name == "accuracy":
        return 1.0
    if metric.name == "brier_score":
        return 1.0 if candidate.scores.shape[1] == 2 else 2.0  # noqa: PLR2004
    assert rule.clip is not None, "all others are bounded by declaration"
    low, high = rule.clip
    if metric.name == "log_loss":
        return log(high) - log(low)
    width = float(np.log1p(high) - np.log1p(low)) if rule.on == "log1p" else high - low
    if metric.name == "pinball_loss":
        quantile = 0.5 if candidate.quantile is None else candidate.quantile
        return width * max(quantile, 1 - quantile)
    return width if metric.name == "mae" else width**2


def _resampled(gain: float, influence: Floats, seed: int) -> Floats:
    """Return the gains of resampled rows."""
    rows, random = len(influence), np.random.default_rng(seed)
    groups = np.array_split(np.sort(influence), min(rows, GROUPS))
    means, shares = np.array([each.mean() for each in groups]), np.array([len(each) / rows for each in groups])
    counts = random.multinomial(len(groups), shares, size=RESAMPLES)
    gains: Floats = gain + (counts @ means) / len(groups) * sqrt(len(groups) / rows)
    return gains
