"""Pure decision functions: thresholds, the gain over the champion, latency."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from interlock_contracts.pipeline import Pipeline


@dataclass(frozen=True)
class Gain:
    """How much better the candidate is on the champion's rows; positive is better whatever the metric's direction.

    ``lower`` is the lower bound of the one-sided confidence interval, by paired bootstrap; NaN where there is none.
    In ``left_out`` resamples the metric is undefined; ``rarest`` is how many rows a classification's rarest label has.
    Of the held-out rows ``rows`` were compared, and the champion has ``trained_on`` some, None where it is not known.
    """

    version: int
    candidate: float
    champion: float
    gain: float
    lower: float
    left_out: int = 0
    rarest: int | None = None
    rows: int | None = None
    trained_on: int | None = None


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
    refusals: Sequence[Check] = (),
) -> Verdict:
    """Return the verdict on a candidate.

    ``scores`` are its metrics on the holdout, by name; ``gain`` is None for the first version of a model, which has
    no champion to beat; ``latency_p99_ms`` is that of single rows in milliseconds; ``refusals`` are what was missed
    before anything was measured.
    """
    checks = [*refusals] + [
        _bounded(f"{name} on the holdout", scores[name], bounds.min, bounds.max)
        for name, bounds in pipeline.gate.metrics.items()
    ]
    if isinstance(gain, NotCompared):
        text = f"version {gain.version} cannot be compared with it, so a person decides: {gain.why}"
        checks.append(Check(passed=True, text=text))
    elif gain is not None:
        checks.append(_better(pipeline, gain))
    if pipeline.gate.latency_p99_ms is not None:
        checks.append(_bounded("p99 latency in ms", latency_p99_ms, None, pipeline.gate.latency_p99_ms))
    first = Check(passed=True, text="the first version, and no threshold is declared")
    return Verdict(checks or [first], needs_approval=isinstance(gain, NotCompared))


def _bounded(what: str, value: float, low: float | None, high: float | None) -> Check:
    bounds = (("at least", low), ("at most", high))
    allowed = " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
    if isnan(value):
        return Check(passed=False, text=f"{what} is undefined, but required {allowed}")
    passed = (low is None or value >= low) and (high is None or value <= high)
    return Check(passed, f"{what} is {value:.6g}, {'as' if passed else 'but'} required {allowed}")


def _better(pipeline: Pipeline, gain: Gain) -> Check:
    rule = pipeline.champion
    if isnan(gain.lower):
        rows = f"{gain.rarest} rows of the rarest label" if gain.rarest is not None else "too few rows"
        return Check(passed=False, text=f"{rule.metric} has no confidence interval: the holdout has {rows}")
    passed = gain.lower > rule.min_improvement
    text = (
        f"{rule.metric} is {gain.candidate:.6g} against {gain.champion:.6g} of version {gain.version}: the gain is "
        f"{gain.gain:+.6g}, with {rule.confidence:.0%} confidence above {gain.lower:+.6g}, "
        f"{'which lies' if passed else 'which must lie'} above {rule.min_improvement:g}"
    )
    if gain.left_out:
        text += f" ({gain.left_out} resamples in which {rule.metric} is undefined are left out)"
    return Check(passed, text)
