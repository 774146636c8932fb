"""Folds are cut as the holdout is: groups and moments stay whole, and what is fitted is older than what is scored."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.pipeline import Pipeline
from interlock_trainer.cuts import MOST_STRATIFIED, Belonging, cuts
from interlock_trainer.errors import DataError
from interlock_trainer.pools import InProcessPool
from interlock_trainer.progress import Progress
from interlock_trainer.training import run
from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit

from tests.support.training_jobs import job

SEED = 5


def grouped(count: int, rows: int) -> Belonging:
    groups = np.random.default_rng(SEED).integers(0, count, rows).astype(np.uint64)
    groups[:count] = np.arange(count)
    return Belonging(groups=groups, word="data.key (who)")


@pytest.mark.parametrize("labels", [0, 2, 3])
def test_a_group_lies_on_one_side_of_every_fold(labels: int) -> None:
    """Every row is scored once, by a fit that has seen no row of its group; the seed decides which."""
    belonging = grouped(40, 600)
    rng = np.random.default_rng(1)
    targets = rng.integers(0, labels, 600) if labels else rng.normal(size=600)
    made = cuts(belonging, targets, labels, 5, 7)

    assert belonging.groups is not None
    assert np.array_equal(np.sort(np.concatenate([score for _, score in made])), np.arange(600))
    for fit, score in made:
        assert not set(belonging.groups[fit]) & set(belonging.groups[score])
        assert len(fit) + len(score) == 600
    again, other = cuts(belonging, targets, labels, 5, 7), cuts(belonging, targets, labels, 5, 8)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(made, again, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(made, other, strict=True))


def test_labels_are_dealt_out_evenly_with_their_groups() -> None:
    """One group in ten is positive; each fold has its share of them."""
    groups = np.repeat(np.arange(100, dtype=np.uint64), 6)
    targets = (groups % 10 == 0).astype(np.int64)
    made = cuts(Belonging(groups=groups, word="data.key (who)"), targets, 2, 5, 0)

    assert [targets[score].sum() for _, score in made] == [12] * 5


def test_many_groups_are_cut_quickly() -> None:
    """Two rows of nearly each of 60,000 keys: chance gives each fold its share of the labels."""
    groups = np.repeat(np.arange(10 * MOST_STRATIFIED, dtype=np.uint64), 2)
    targets = np.random.default_rng(0).integers(0, 2, len(groups))
    made = cuts(Belonging(groups=groups, word="data.key (who)"), targets, 2, 5, 0)

    assert all(abs(targets[score].mean() - 0.5) < 0.02 for _, score in made)


@pytest.mark.parametrize("labels", [0, 2])
def test_rows_that_are_one_of_their_own_are_cut_as_ever(labels: int) -> None:
    """Scores of pipelines without groups stay what they were."""
    targets = np.arange(60) % labels if labels else np.arange(60.0)
    plain: Any = (StratifiedKFold if labels else KFold)(n_splits=3, shuffle=True, random_state=4)

    for mine, theirs in zip(cuts(Belonging(), targets, labels, 3, 4), plain.split(targets, targets), strict=True):
        assert np.array_equal(mine[0], theirs[0])
        assert np.array_equal(mine[1], theirs[1])


def test_by_time_folds_are_those_of_a_time_series() -> None:
    """Where no two rows share a moment; the rows may stand in any order."""
    times = np.random.default_rng(3).permutation(103).astype(np.int64)
    made = cuts(Belonging(times=times, word="data.holdout.by: time (at)"), np.arange(103.0), 0, 5, 0)

    for (fit, score), (theirs, scored) in zip(made, TimeSeriesSplit(5).split(np.arange(103)), strict=True):
        assert sorted(times[fit]) == theirs.tolist()
        assert sorted(times[score]) == scored.tolist()


@pytest.mark.parametrize("moments", [6, 7, 12, 50])
@pytest.mark.parametrize("folds", [2, 5])
@pytest.mark.parametrize("skew", [1.0, 4.0])
def test_rows_of_one_moment_lie_in_one_block(moments: int, folds: int, skew: float) -> None:
    """What is fitted is strictly older than what is scored, and every fold scores something."""
    drawn = np.random.default_rng(SEED).random(400) ** skew
    times = np.concatenate([np.arange(moments), (drawn * moments).astype(np.int64)])
    made = cuts(Belonging(times=times, word="data.holdout.by: time (at)"), np.arange(len(times)), 0, folds, 0)

    assert len(made) == folds
    for fit, score in made:
        assert len(score) > 0
        assert times[fit].max() < times[score].min()
        assert len(fit) == (times < times[score].min()).sum()
    scored = np.concatenate([score for _, score in made])
    assert len(np.unique(scored)) == len(scored)
    assert times[scored].max() == times.max()


def test_the_first_fit_by_time_knows_every_label() -> None:
    """A label that comes up late moves the blocks behind it."""
    targets = np.where(np.arange(200) >= 120, np.arange(200) % 3, np.arange(200) % 2)
    made = cuts(Belonging(times=np.arange(200), word="data.holdout.by: time (at)"), targets, 3, 4, 0)

    assert all(len(np.unique(targets[fit])) == 3 for fit, _ in made)
    assert len(made[0][0]) >= 122


@pytest.mark.parametrize(
    ("belonging", "labels", "told"),
    [
        (grouped(3, 60), 0, r"3 groups by data.key \(who\), too few for 5 folds.*training.folds: 3; data.group"),
        (grouped(1, 60), 0, "1 groups by data.key .who., .*at least 2 are needed; data.group"),
        (Belonging(times=np.arange(60) // 15, word="data.holdout.by: time (at)"), 0, "5 folds by time need 6"),
        (Belonging(groups=np.arange(60, dtype=np.uint64) // 6, word="data.key (who)"), 2, "too few groups .*set_aside"),
    ],
)
def test_what_cannot_be_cut_says_why(belonging: Belonging, labels: int, told: str) -> None:
    """The word of the pipeline file, and what would be right."""
    targets = (np.arange(60) < 6).astype(np.int64) if labels else np.arange(60.0)

    with pytest.raises(DataError, match=told):
        cuts(belonging, targets, labels, 5, 0)


def entities(rows: int = 12) -> pa.Table:
    """Return 60 entities whose target is their own: memorising them answers rows that they have, and no others."""
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(60, 3)), rows, axis=0)
    target = np.repeat(rng.normal(size=60), rows) + rng.normal(0, 0.3, 60 * rows)
    names = [f"e{at // rows}" for at in range(60 * rows)]
    moments = 1_600_000_000_000_000 + 3_600_000_000 * np.arange(60 * rows)
    return pa.table(
        {
            **{f"x{at}": pa.array(features[:, at]) for at in range(3)},
            "entity": names,
            "at": pa.array(moments).cast(pa.timestamp("us", "UTC")),
            "y": pa.array(target),
        }
    )


def trained(table: pa.Table, **data: Any) -> TrainingManifest:
    columns = {**{f"x{at}": {"type": "number"} for at in range(3)}, "entity": {"type": "category", "role": "ignore"}}
    columns |= {"at": {"type": "datetime", "role": "time"}, "y": {"type": "number"}}
    if "key" in data:
        del columns["entity"]["role"]
    training = {"candidates": ["random_forest"], "folds": 3, "trials": 0}
    of = Pipeline.model_validate(
        {"name": "m", "task": "regression", "target": "y", "data": {"columns": columns, **data}, "training": training}
    )
    store = MemoryStore()
    of_run = job(store, of, table)
    return run(of_run, store, InProcessPool(), Progress(store, of_run.prefix))


def test_selection_by_groups_promises_no_more_than_new_groups_give() -> None:
    """Entities are noise to each other: folds by row promise an R2 that no new entity has."""
    by_row, by_key = trained(entities()), trained(entities(), key="entity")
    by_group = trained(entities(), group="entity")
    by_time = trained(entities(), holdout={"by": "time"})

    assert by_row.score is not None
    assert by_key.score is not None
    assert by_time.score is not None
    assert by_row.score > 0.5
    assert by_key.score < 0.2
    assert by_group.score == by_key.score
    assert by_time.score < 0.2


def test_a_rare_label_is_rare_by_its_groups() -> None:
    """Many rows of one group are no more to learn from than one; a label in too few is set aside, all of it."""
    rows = entities()
    names = np.array(rows.column("entity").to_pylist())
    label = np.where(names == "e0", "rare", np.where(np.char.str_len(names) % 2 == 0, "even", "odd"))
    columns = {"x0": {"type": "number"}, "entity": {"type": "category"}, "label": {"type": "category"}}
    training = {"candidates": ["linear"], "folds": 3, "trials": 0, "rare_labels": "set_aside"}
    declared = {"columns": columns, "key": "entity"}
    spec = {"name": "m", "task": "classification", "target": "label", "data": declared, "training": training}
    store = MemoryStore()
    of_run = job(store, Pipeline.model_validate(spec), rows.append_column("label", pa.array(label)))
    manifest = run(of_run, store, InProcessPool(), Progress(store, of_run.prefix))

    assert (manifest.status, manifest.rare_labels, manifest.rows) == ("succeeded", {"rare": 12}, 59 * 12)
