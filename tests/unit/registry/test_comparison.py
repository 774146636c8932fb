"""Two versions side by side: what is told of them, and when one may be called better."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.report import GainReport, GateReport
from interlock_registry.comparison import Side, compared
from interlock_registry.store import VersionRow

from tests.unit.cli.views import NOW

REF = {"sha256": "a" * 64, "bytes": 1}
SPEC = {"task": "regression", "target": "y", "gate": {"metrics": {"r2": {"min": 0.6}}}}


def side(version: int, metrics: Mapping[str, float | None], *, holdout: str = "c", **more: Any) -> Side:
    dataset = {"digest": "d" * 64, "train": REF, "train_rows": 8, "holdout_rows": 2}
    row = VersionRow(
        model="m",
        version=version,
        stage="retired",
        run_id=uuid4(),
        pipeline_digest="e" * 64,
        artifact=REF,
        manifest=REF,
        datasets=more.get("datasets", [{**dataset, "holdout": _held_out(holdout)}]),
        evaluation={**dataset, "holdout": _held_out(judged_on)} if (judged_on := more.get("evaluation")) else None,
        metrics={},
        champion_metrics={},
        reasons=[],
        tags={},
        registered_at=NOW,
    )
    report = GateReport(rows=more.get("rows", 2), metrics=dict(metrics), metric="rmse", champion=more.get("champion"))
    made = {"status": "failed", "reason": "none", "winner": more.get("winner", "linear"), "params": {"depth": version}}
    return Side(row, more.get("spec", SPEC), report, TrainingManifest.model_validate(made))


def _held_out(digit: str) -> dict[str, Any]:
    return {**REF, "sha256": digit * 64, "holdout": True}


def test_on_the_same_rows_each_metric_tells_which_is_better() -> None:
    """In its own direction, the sign of the difference aside."""
    metrics = {"r2": 0.5, "rmse": 2.0, "bias": -0.4, "mae": 1.0}
    found = compared(side(1, metrics), side(2, {"r2": 0.6, "rmse": 1.0, "bias": 0.5, "mae": 1.0}), {})

    assert found.comparable
    assert "same 2 held-out rows" in found.note
    assert {each.metric: each.better for each in found.metrics} == {"r2": "b", "rmse": "b", "bias": "a", "mae": "equal"}
    assert {each.metric: each.difference for each in found.metrics} == pytest.approx(
        {"r2": 0.1, "rmse": -1.0, "bias": 0.9, "mae": 0.0}
    )


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (side(2, {"r2": 0.6}, holdout="f"), "different held-out rows"),
        (side(2, {"r2": 0.6}, datasets=[]), "different held-out rows"),
        (side(2, {"r2": 0.6}, evaluation="f"), "different held-out rows"),
        (side(2, {"r2": 0.6}, rows=3), "different held-out rows"),
        (side(2, {"r2": 0.6}, rows=0), "version 2 has not been measured"),
        (side(2, {"r2": 0.6}, spec={**SPEC, "target": "x"}), "different targets"),
        (side(2, {"r2": 0.6}, spec={**SPEC, "training": {"quantile": 0.9}}), "different quantiles"),
    ],
)
def test_where_the_rows_or_targets_differ_nothing_is_called_better(other: Side, why: str) -> None:
    """The numbers are shown, for they are what was measured, but without a difference."""
    found = compared(side(1, {"r2": 0.5}), other, {})
    (r2,) = found.metrics

    assert not found.comparable
    assert why in found.note
    assert (r2.a, r2.b, r2.difference, r2.better) == (0.5, 0.6, None, None)


def test_versions_of_different_files_are_comparable_on_one_evaluation_file() -> None:
    """What was held out of the files that they were trained on plays no part."""
    one = side(1, {"r2": 0.5}, holdout="1", evaluation="f")
    other = side(2, {"r2": 0.6}, holdout="2", evaluation="f")

    assert compared(one, other, {}).comparable
    assert not compared(one, side(2, {"r2": 0.6}, holdout="2", evaluation="e"), {}).comparable


@pytest.mark.parametrize("turned", [False, True])
def test_what_the_gate_measured_of_both_is_told_whatever_the_holdouts(*, turned: bool) -> None:
    """From the report on the later one, whichever of the two is named first."""
    gain = GainReport(version=1, candidate=1.0, champion=3.0, gain=2.0, lower=1.5)
    pair = [side(1, {"rmse": 2.0}), side(2, {"rmse": 1.0}, holdout="f", champion=gain)]
    one, other = reversed(pair) if turned else pair
    found = compared(one, other, {}).measured_together

    assert found is not None
    assert (found.a, found.b) == ((1.0, 3.0) if turned else (3.0, 1.0))
    assert found.better == ("a" if turned else "b")
    assert (found.holdout_of, found.rows, found.gain, found.lower) == (2, 2, 2.0, 1.5)
    assert [each.metric for each in found.metrics] == ["rmse"], "an older gate kept the champion's one metric"


@pytest.mark.parametrize("turned", [False, True])
def test_every_metric_of_both_on_one_holdout_is_told(*, turned: bool) -> None:
    """The champion's other metrics as the gate measured them there, not those of its own holdout."""
    theirs: dict[str, float | None] = {"rmse": 3.0, "r2": 0.5, "bias": None}
    gain = GainReport(version=1, candidate=1.0, champion=3.0, metrics=theirs, gain=2.0, lower=1.5)
    judged = side(2, {"r2": 0.4, "rmse": 1.0, "bias": 0.1}, holdout="f", champion=gain)
    pair = [side(1, {"rmse": 0.1, "r2": 0.9}), judged]
    one, other = reversed(pair) if turned else pair
    found = compared(one, other, {}).measured_together

    assert found is not None
    told = [(each.metric, each.b, each.a) if turned else (each.metric, each.a, each.b) for each in found.metrics]
    assert told == [("r2", 0.5, 0.4), ("rmse", 3.0, 1.0), ("bias", None, 0.1)]
    worse, better = ("b", "a") if turned else ("a", "b")
    assert [each.better for each in found.metrics] == [worse, better, None]


def test_a_gate_that_compared_with_another_version_says_nothing_of_these_two() -> None:
    """Its number is about a third version."""
    gain = GainReport(version=7, candidate=1.0, champion=3.0, gain=2.0, lower=1.5)

    assert compared(side(1, {}), side(2, {}, champion=gain), {}).measured_together is None


def test_an_undefined_metric_is_no_zero() -> None:
    """Only one side has a number."""
    (r2,) = compared(side(1, {"r2": None}), side(2, {"r2": 0.6}), {}).metrics

    assert (r2.a, r2.b, r2.difference, r2.better) == (None, 0.6, None, None)


def test_only_what_differs_is_listed_by_its_path() -> None:
    """In pipeline, parameters and data alike."""
    stricter = {**SPEC, "gate": {"metrics": {"r2": {"min": 0.7}}}}
    found = compared(side(1, {}), side(2, {}, spec=stricter, winner="xgboost"), {})

    assert [(each.name, each.a, each.b) for each in found.pipeline] == [("gate.metrics.r2.min", 0.6, 0.7)]
    assert [(each.name, each.a, each.b) for each in found.parameters] == [
        ("candidate", "linear", "xgboost"),
        ("depth", 1, 2),
    ]
    assert found.environment == []
    assert found.datasets.both == ["d" * 64]
