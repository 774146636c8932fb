"""Pure decision functions: thresholds, the gain over the champion, latency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from typing import Any

from interlock_contracts.gate import Champion, Threshold
from interlock_contracts.ledger import Claim
from interlock_contracts.pipeline import Pipeline

UNDECLARED_CONFIDENCE = 0.9
"""Confidence of the interval that is told beside a threshold that declares none."""


@dataclass(frozen=True)
class Gain:
    """How much better the candidate is on the champion's rows; positive is better whatever the metric's direction.

    ``lower`` is the lower bound of the gain, which errs with the chance ``level``; NaN where there is none. ``plain``
    is the one that takes the rows for all there is, without one row more that speaks against the gain. ``few`` is the
    share of the variance that the three most influential rows have, ``deviation`` that of one row's influence.
    ``equal`` says that both models answer every row alike; ``rarest`` how many rows a classification's rarest label
    has; ``claim`` what the ledger allows, where there is one.
    Of the held-out rows ``rows`` were compared, and the champion has ``trained_on`` some, None where it is not known.
    """

    version: int
    candidate: float
    champion: float
    gain: float
    lower: float
    level: float = 0.05
    plain: float = nan
    few: float = 0.0
    deviation: float = 0.0
    equal: bool = False
    rarest: int | None = None
    claim: Claim | None = None
    rows: int | None = None
    trained_on: int | None = None

    def bounded_by(self, lower: float, **found: Any) -> "Gain":
        """Return it with its bound, and what else was found."""
        return replace(self, lower=lower, **found)


@dataclass(frozen=True)
class Interval:
    """Between which values a metric lies, measured on so many rows."""

    low: float
    high: float
    rows: int

    def __str__(self) -> str:
        """Return the interval in words."""
        return f"{self.low:.6g} to {self.high:.6g}"


@dataclass(frozen=True)
class NotCompared:
    """Why the champion of this version could not be measured on the candidate's rows."""

    version: int
    why: str


@dataclass(frozen=True)
class Check:
    """One requirement, and whether it is met, in words."""

    passed: bool
    text: str


@dataclass(frozen=True)
class Verdict:
    """All checks; a candidate passes when every one does. What could not be checked, a person decides."""

    checks: list[Check]
    needs_approval: bool = False

    @property
    def passed(self) -> bool:
        """Return whether the candidate may serve."""
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """Return what was missed, or where nothing was, what was kept."""
        return [check.text for check in self.checks if check.passed == self.passed]


def judge(
    pipeline: Pipeline,
    scores: dict[str, float],
    gain: Gain | NotCompared | None,
    latency_p99_ms: float,
    *,
    intervals: Mapping[str, Interval | None] | None = None,
    refusals: Sequence[Check] = (),
    more: Sequence[Check] = (),
) -> Verdict:
    """Return the verdict on a candidate.

    ``scores`` are its metrics on the holdout, by name; ``gain`` is None for the first version of a model, which has
    no champion to beat; ``latency_p99_ms`` is that of single rows in milliseconds. ``intervals`` are those of the
    metrics that have a threshold, with ``interval_confidence`` of it; ``refusals`` are what was missed before
    anything was measured, ``more`` is what was checked beside.
    """
    checks = [
        _within(name, bounds, scores[name], (intervals or {}).get(name))
        for name, bounds in pipeline.gate.metrics.items()
    ]
    if isinstance(gain, NotCompared):
        text = f"version {gain.version} cannot be compared with it, so a person decides: {gain.why}"
        checks.append(Check(passed=True, text=text))
    elif gain is not None:
        rule = pipeline.champion
        checks.append(is_better(rule, gain, f"version {gain.version}", rule.min_improvement))
    if pipeline.gate.latency_p99_ms is not None:
        checks.append(_bounded("p99 latency in ms", latency_p99_ms, None, pipeline.gate.latency_p99_ms))
    return Verdict([*refusals, *checks, *more], needs_approval=isinstance(gain, NotCompared))


def interval_confidence(threshold: Threshold) -> float:
    """Return the confidence of the two-sided interval whose ends each have the declared one-sided confidence."""
    return UNDECLARED_CONFIDENCE if threshold.confidence is None else 2 * threshold.confidence - 1


def _within(name: str, threshold: Threshold, value: float, interval: Interval | None) -> Check:
    """Check a threshold by the measured value, or where it declares a confidence, by the ends of the interval."""
    what = f"{name} on the holdout"
    if threshold.confidence is not None and not isnan(value):
        return _surely_within(what, threshold, value, interval)
    check = _bounded(what, value, threshold.min, threshold.max)
    bounds = [each for each in (threshold.min, threshold.max) if each is not None]
    if interval is None or not any(interval.low < each < interval.high for each in bounds):
        return check
    doubt = f"{interval.rows:,} rows cannot decide that: the {UNDECLARED_CONFIDENCE:.0%} interval is {interval}"
    return Check(check.passed, f"{check.text}; {doubt}")


def _surely_within(what: str, threshold: Threshold, value: float, interval: Interval | None) -> Check:
    required = f"required {_allowed(threshold.min, threshold.max)} with {threshold.confidence:.0%} confidence"
    if interval is None:
        return Check(passed=False, text=f"{what} is {value:.6g} and has no interval, but {required}")
    low_kept = threshold.min is None or interval.low >= threshold.min
    passed = low_kept and (threshold.max is None or interval.high <= threshold.max)
    word = "as" if passed else "but"
    return Check(passed, f"{what} is {value:.6g}, on {interval.rows:,} rows {interval}, {word} {required}")


def _bounded(what: str, value: float, low: float | None, high: float | None) -> Check:
    allowed = _allowed(low, high)
    if isnan(value):
        return Check(passed=False, text=f"{what} is undefined, but required {allowed}")
    passed = (low is None or value >= low) and (high is None or value <= high)
    return Check(passed, f"{what} is {value:.6g}, {'as' if passed else 'but'} required {allowed}")


def _allowed(low: float | None, high: float | None) -> str:
    bounds = (("at least", low), ("at most", high))
    return " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)


def compared_by(rule: Champion) -> str:
    """Return the metric that versions are compared by, with the scale where that is not its own."""
    return rule.metric if rule.on == "raw" else f"{rule.metric} on {rule.on}"


def is_better(rule: Champion, gain: Gain, over: str, required: float) -> Check:
    """Return whether the gain ``over`` a champion, or a constant, surely lies above what is required, in words."""
    metric = compared_by(rule)
    if isnan(gain.lower):
        rows = f"{gain.rarest} rows of the rarest label" if gain.rarest is not None else "too few rows"
        return Check(passed=False, text=f"{metric} has no confidence interval: the holdout has {rows}")
    passed = bool(gain.lower > required)
    text = (
        f"{metric} is {gain.candidate:.6g} against {gain.champion:.6g} of {over}: the gain is "
        f"{gain.gain:+.6g}, with {100 * (1 - gain.level):.6g}% confidence above {gain.lower:+.6g}, "
        f"{'which lies' if passed else 'which must lie'} above {required:g}"
    )
    if gain.equal:
        text += "; both answer every row alike"
    elif not passed and gain.plain > required:
        rare = f", and the rarest label has {gain.rarest:,}" if gain.rarest is not None else ""
        text += (
            f"; it hangs on few rows, so one more that speaks against it is allowed for (three rows have "
            f"{gain.few:.0%} of the gain's variance{rare}): without that it would be above {gain.plain:+.6g}"
        )
    return Check(passed, f"{text}; {_booked(gain.claim)}" if gain.claim else text)


def _booked(claim: Claim) -> str:
    """Return in words what the ledger allows a claim."""
    spent, budget, level = (f"{100 * share:.2g} %" for share in (claim.spent, claim.budget, claim.level))
    return f"claim {claim.number}: {spent} of {budget} spent before, this claim at {level}"
