"""Whether a candidate may serve."""

import math
from typing import Any

import pytest
from interlock_contracts.pipeline import Pipeline
from interlock_evaluation_gate.domain import Check, Gain, Interval, NotCompared, judge


def pipeline(**gate: Any) -> Pipeline:
    columns = {"x": {"type": "number"}, "y": {"type": "number"}}
    return Pipeline.model_validate(
        {"name": "m", "task": "regression", "target": "y", "data": {"columns": columns}, "gate": gate}
    )


def gain(lower: float) -> Gain:
    return Gain(version=3, candidate=0.9, champion=0.85, gain=0.05, lower=lower)


def test_the_first_version_has_only_its_thresholds_to_keep() -> None:
    """There is no champion to beat yet."""
    assert judge(pipeline(metrics={"r2": {"min": 0.6}}), {"r2": 0.7}, None, 1.0).passed


@pytest.mark.parametrize(("lower", "passed"), [(0.001, True), (0.0, False), (-0.001, False)])
def test_a_gain_must_be_sure(lower: float, passed: bool) -> None:
    """The lower bound of the gain has to lie above what is asked, not on it."""
    verdict = judge(pipeline(), {}, gain(lower), 1.0)

    assert verdict.passed is passed
    assert "version 3" in verdict.reasons[0]


def test_what_cannot_be_compared_is_left_to_a_person() -> None:
    """The candidate keeps what is asked of it alone, and is not promoted by itself."""
    verdict = judge(pipeline(), {}, NotCompared(3, "its column 'c' is gone"), 1.0)

    assert (verdict.passed, verdict.needs_approval) == (True, True)
    assert verdict.reasons == ["version 3 cannot be compared with it, so a person decides: its column 'c' is gone"]


def test_a_refusal_names_everything_that_was_missed_and_nothing_else() -> None:
    """Whoever reads it must not have to come back for the second fault."""
    asked = pipeline(metrics={"r2": {"min": 0.9}, "rmse": {"max": 5}, "bias": {"min": -1, "max": 1}}, latency_p99_ms=2)

    verdict = judge(asked, {"r2": 0.8, "rmse": 4.0, "bias": -3.0}, gain(0.01), 7.5)

    assert not verdict.passed
    assert verdict.reasons == [
        "r2 on the holdout is 0.8, but required at least 0.9",
        "bias on the holdout is -3, but required at least -1 and at most 1",
        "p99 latency in ms is 7.5, but required at most 2",
    ]


def test_a_metric_that_is_no_number_never_passes() -> None:
    """NaN compares as neither above nor below; the gate must not take that for a yes."""
    verdict = judge(pipeline(metrics={"rmse": {"max": 5}}), {"rmse": math.nan}, None, 1.0)
    assert not verdict.passed
    assert [check.text for check in verdict.checks] == ["rmse on the holdout is undefined, but required at most 5"]


def test_rows_too_few_to_decide_are_told() -> None:
    """The threshold lies within the metric's interval: what was measured decides, and says how little that is worth."""
    asked = pipeline(metrics={"r2": {"min": 0.2}, "rmse": {"max": 5}})
    intervals = {"r2": Interval(0.09, 0.29, 197), "rmse": Interval(4.1, 4.9, 197)}
    doubt = "197 rows cannot decide that: the 90% interval is 0.09 to 0.29"
    verdict = judge(asked, {"r2": 0.196, "rmse": 4.5}, None, 1.0, intervals=intervals)

    assert [check.text for check in verdict.checks] == [
        f"r2 on the holdout is 0.196, but required at least 0.2; {doubt}",
        "rmse on the holdout is 4.5, as required at most 5",
    ]


@pytest.mark.parametrize(("low", "passed"), [(0.61, True), (0.59, False)])
def test_a_threshold_with_a_confidence_is_kept_by_the_interval(low: float, passed: bool) -> None:
    """What was measured is good enough in both cases; whether that is sure decides."""
    asked = pipeline(metrics={"r2": {"min": 0.6, "confidence": 0.95}})
    verdict = judge(asked, {"r2": 0.7}, None, 1.0, intervals={"r2": Interval(low, 0.8, 500)})

    assert verdict.passed is passed
    words = "as" if passed else "but"
    told = f"r2 on the holdout is 0.7, on 500 rows {low:g} to 0.8, {words} required at least 0.6 with 95% confidence"
    assert verdict.reasons == [told]


def test_a_threshold_with_a_confidence_is_missed_where_there_is_no_interval() -> None:
    """As of a metric that most resamples leave undefined; one that is no number has no interval either."""
    asked = pipeline(metrics={"r2": {"max": 0.6, "confidence": 0.9}})
    for value, told in (
        (0.5, "is 0.5 and has no interval, but required at most 0.6 with 90% confidence"),
        (math.nan, ""),
    ):
        verdict = judge(asked, {"r2": value}, None, 1.0, intervals={"r2": None})
        assert not verdict.passed
        assert told in verdict.reasons[0]


def test_what_slices_miss_is_missed() -> None:
    """Beside what is asked of the whole, which is kept here."""
    verdict = judge(pipeline(), {}, gain(0.1), 1.0, more=[Check(passed=False, text="bias in month 7 is +8.4")])

    assert (verdict.passed, verdict.reasons) == (False, ["bias in month 7 is +8.4"])
