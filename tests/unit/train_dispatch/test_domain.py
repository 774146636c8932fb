"""What follows for a run from what is seen of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_contracts.http import ProgressView
from interlock_contracts.manifest import TrainingManifest, Trial
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.stored_rows import shape_of_rows
from interlock_train_dispatch.domain import (
    GRACE,
    MAX_ATTEMPTS,
    Action,
    Observation,
    decide,
    in_window,
    progress_at_end,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FRESH = Observation(
    now=NOW,
    deadline=NOW + timedelta(hours=1),
    attempt=1,
    submitted=False,
    cancelled=False,
    trained=False,
    job="unknown",
    manifest="absent",
    job_missing_since=None,
)
RUNNING = replace(FRESH, submitted=True, job="alive")
LONG_AGO = NOW - GRACE - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("seen", "action"),
    [
        (FRESH, Action.SUBMIT),
        (replace(FRESH, job="unreachable"), Action.WAIT),
        (replace(FRESH, job="alive"), Action.ACCEPT),
        (RUNNING, Action.WAIT),
        (replace(RUNNING, job="unreachable"), Action.WAIT),
        (replace(RUNNING, manifest="succeeded"), Action.COMPLETE),
        (replace(RUNNING, manifest="succeeded", job="unknown"), Action.COMPLETE),
        (replace(RUNNING, job="ended"), Action.WAIT),
        (replace(RUNNING, job="ended", job_missing_since=NOW), Action.WAIT),
        (replace(RUNNING, job="ended", job_missing_since=LONG_AGO), Action.TRY_AGAIN),
        (replace(RUNNING, job="unknown", job_missing_since=LONG_AGO), Action.TRY_AGAIN),
        (replace(RUNNING, trained=True), Action.WAIT),
    ],
)
def test_the_manifest_is_the_truth_and_ray_a_hint(seen: Observation, action: Action) -> None:
    """Ray has lost jobs that went on, and reported FAILED for jobs that went well."""
    assert decide(seen).action is action


@pytest.mark.parametrize(
    ("seen", "outcome", "told"),
    [
        (replace(RUNNING, manifest="failed"), "failed", ""),
        (replace(RUNNING, cancelled=True), "cancelled", "on request"),
        (replace(FRESH, cancelled=True), "cancelled", "on request"),
        (replace(RUNNING, now=NOW + timedelta(hours=2)), "timed_out", "for the training"),
        (replace(RUNNING, now=NOW + timedelta(hours=2), trained=True), "timed_out", "for a verdict"),
        (
            replace(RUNNING, job="ended", job_missing_since=LONG_AGO, attempt=MAX_ATTEMPTS),
            "failed",
            f"without a manifest, {MAX_ATTEMPTS} times",
        ),
    ],
)
def test_a_run_that_cannot_succeed_ends_with_its_reason(seen: Observation, outcome: str, told: str) -> None:
    """A pipeline run always ends, and says how."""
    decision = decide(seen)

    assert (decision.action, decision.outcome) == (Action.END, outcome)
    assert told in decision.reason


def test_a_manifest_that_came_before_the_cancel_counts() -> None:
    """Work that is done is not thrown away because somebody was too late."""
    assert decide(replace(RUNNING, cancelled=True, manifest="succeeded")).action is Action.COMPLETE


@given(
    st.builds(
        Observation,
        now=st.just(NOW + timedelta(days=1)),
        deadline=st.just(NOW),
        attempt=st.integers(1, 5),
        submitted=st.booleans(),
        cancelled=st.booleans(),
        trained=st.booleans(),
        job=st.sampled_from(["unknown", "alive", "ended", "unreachable"]),
        manifest=st.sampled_from(["absent", "succeeded", "failed"]),
        job_missing_since=st.sampled_from([None, LONG_AGO]),
    )
)
def test_every_run_ends_at_its_deadline(seen: Observation) -> None:
    """Whatever else is true of it."""
    assert decide(seen).action is Action.END


class File:
    """A dataset by its number, and how many rows it has on each side."""

    def __init__(self, number: int, train_rows: int = 8, holdout_rows: int = 2) -> None:
        self.number = number
        self.ref = {"train_rows": train_rows, "holdout_rows": holdout_rows}


@pytest.mark.parametrize(("window", "numbers"), [("all", [1, 2, 3]), ("latest", [3]), (2, [2, 3]), (9, [1, 2, 3])])
def test_the_window_counts_from_the_newest(window: "int | str", numbers: list[int]) -> None:
    """A window longer than the history takes all of it."""
    found = in_window([File(2), File(3), File(1)], window)  # type: ignore[arg-type]
    assert [file.number for file in found] == numbers


@pytest.mark.parametrize(
    ("files", "window", "numbers"),
    [
        ([File(1), File(2), File(3, 0, 9), File(4, 0, 9)], "latest", [2, 3, 4]),
        ([File(1), File(2, 0, 9), File(3), File(4, 0, 9)], 2, [1, 2, 3, 4]),
        ([File(1), File(2), File(3, 9, 0), File(4, 9, 0)], "latest", [2, 3, 4]),
        ([File(1, 9, 0), File(2, 9, 0)], "latest", [1, 2]),
        ([File(1, 0, 9), File(2, 0, 9)], "latest", [1, 2]),
    ],
    ids=["all held out", "between", "none held out", "none at all", "nothing to learn"],
)
def test_the_window_has_rows_on_both_sides(files: list[File], window: "int | str", numbers: list[int]) -> None:
    """Of a watermark a file may lie on one side alone: what is held out of it goes along, or others' is."""
    assert [file.number for file in in_window(files, window)] == numbers  # type: ignore[arg-type]


@pytest.mark.parametrize("trials", [0, 3])
def test_a_training_that_is_over_ends_full(trials: int) -> None:
    """Whatever was reported last, and whether or not there was anything to search."""
    made = [Trial(number=n, params={}, score=0.5, fit_seconds=1, state="complete") for n in range(trials)]
    artifact = ArtifactRef(sha256="0" * 64, bytes=1)
    manifest = TrainingManifest(status="succeeded", artifact=artifact, trials=made, metric="r2", score=float("nan"))
    progress = ProgressView.model_validate(progress_at_end(manifest, 7))

    assert (progress.counter, progress.trials_done, progress.trials_total) == (7, trials, trials)
    assert (progress.metric, progress.best_score) == ("r2", None)


def test_a_run_shows_what_won_with_which_parameters() -> None:
    """Parameters as texts, as they are searched for, without what Postgres does not store."""
    params = {"n_estimators": 100, "max_depth": None, "alpha": 1e-5, "kernel": "r\0bf"}
    artifact = ArtifactRef(sha256="0" * 64, bytes=1)
    manifest = TrainingManifest(status="succeeded", artifact=artifact, winner="random_forest", params=params)
    progress = ProgressView.model_validate(progress_at_end(manifest, 7))

    assert progress.candidate == "random_forest"
    assert progress.params == {
        "n_estimators": "100",
        "max_depth": "None",
        "alpha": "1e-05",
        "kernel": "r\N{REPLACEMENT CHARACTER}bf",
    }


def declared(**data: Any) -> Pipeline:
    columns = {name: {"type": "number"} for name in "xyz"} | {"at": {"type": "datetime"}} | data.get("columns", {})
    spec = {"name": "m", "task": "regression", "target": "y", "data": data | {"columns": columns}}
    return Pipeline.model_validate(spec | {"training": {"candidates": ["xgboost"]}})


@pytest.mark.parametrize(
    "data",
    [
        {"rules": {"min_rows": 7, "max_psi": None, "on_change": "refuse", "max_null_fraction": 0.5, "max_bad_rows": 3}},
        {"extra_columns": "refuse"},
        {"columns": {"x": {"type": "number", "min": 0, "max": 9, "max_null_fraction": 0.1, "drift": "expected"}}},
        {"columns": {"x": {"type": "number", "optional": True}, "z": {"type": "number", "role": "ignore"}}},
        {"columns": {"x": {"type": "number", "monotone": "increasing"}}},
    ],
    ids=["rules", "extra columns", "bounds", "roles", "monotone"],
)
def test_what_only_accepts_or_refuses_files_shapes_no_stored_row(data: dict[str, Any]) -> None:
    """Nor does what a column is used for: the files stay."""
    changed = declared(**data).model_dump(mode="json") | {"gate": {"metrics": {"r2": {"min": 0.5}}}}
    changed["training"] = {"candidates": ["xgboost"], "window": 3}
    assert shape_of_rows(Pipeline.model_validate(changed)) == shape_of_rows(declared())


@pytest.mark.parametrize(
    "data",
    [
        {"columns": {"new": {"type": "number"}}},
        {"columns": {"x": {"type": "integer"}}},
        {"columns": {"at": {"type": "datetime", "format": "%d.%m.%Y"}}},
        {"columns": {"z": {"type": "number", "role": "weight"}}},
        {"csv": {"null_values": ["", "NA"]}},
        {"csv": {"decimal": ",", "delimiter": ";"}},
        {"format": "jsonl"},
        {"key": "z"},
        {"group": "z"},
        {"identity": "z"},
        {"holdout": {"fraction": 0.3}},
        {"holdout": {"by": "time", "column": "at"}},
        {"holdout": {"by": "time", "column": "at", "watermark": "first_file"}},
        {"holdout": {"by": "time", "column": "at", "watermark": "2026-05-01"}},
    ],
    ids=str,
)
def test_what_shapes_stored_rows_makes_files_come_again(data: dict[str, Any]) -> None:
    """How cells are read, which rows are kept, and on which side each lies."""
    assert shape_of_rows(declared(**data)) != shape_of_rows(declared())


def test_a_watermark_is_not_moved_by_a_fraction() -> None:
    """Files of a pipeline that has one stay where they are; each of before was cut by its fraction."""
    some, more = (
        declared(holdout={"by": "time", "column": "at", "watermark": "first_file", "fraction": part})
        for part in (0.2, 0.3)
    )
    assert shape_of_rows(some) == shape_of_rows(more)
    assert shape_of_rows(some) != shape_of_rows(declared(holdout={"by": "time", "column": "at"}))


def test_keys_that_must_be_unique_drop_repeats() -> None:
    """So files of before have other rows."""
    unique = declared(key="z", rules={"unique_key": True})
    assert shape_of_rows(unique) != shape_of_rows(declared(key="z"))
