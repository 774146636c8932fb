"""Searches around one candidate or all, and what they have gained."""

import math
from typing import Any

import numpy as np
import pytest
from interlock_contracts.manifest import TrainingManifest, Tuned
from interlock_modeling import METRICS
from interlock_trainer.paired import paired

from tests.support.training_jobs import pipeline, table
from tests.unit.trainer.test_training import trained

TWO: dict[str, Any] = {"candidates": ["linear", "decision_tree", "lasso"], "folds": 3, "trials": 6}


def by_name(manifest: TrainingManifest) -> dict[str, Tuned | None]:
    return {each.candidate: each.tuned for each in manifest.candidates}


def test_every_candidate_is_tuned_where_all_are_to_be() -> None:
    """Each has as many trials as are declared; the best tuned one is chosen, whatever its defaults gave."""
    manifest = trained(pipeline(**TWO, search={"tune": "all"}), table())

    tuned = by_name(manifest)
    means = {name: each.mean for name, each in tuned.items() if each is not None}
    assert means.keys() == {"linear", "decision_tree", "lasso"}
    assert [trial.number for trial in manifest.trials] == list(range(18))
    assert {name: len([t for t in manifest.trials if t.candidate == name]) for name in means} == dict.fromkeys(means, 6)
    assert manifest.winner == max(means, key=means.__getitem__)
    assert manifest.score == max(means.values())


def test_the_winner_alone_is_tuned_by_default() -> None:
    """What it has gained is told beside what its defaults gave."""
    manifest = trained(pipeline(**TWO), table())
    tuned = by_name(manifest)
    winner = tuned.pop(manifest.winner or "")

    assert set(tuned.values()) == {None}
    assert winner is not None
    before = next(each for each in manifest.candidates if each.candidate == manifest.winner)
    assert winner.mean == manifest.score
    assert before.mean is not None
    assert winner.gain == pytest.approx(winner.mean - before.mean)
    assert winner.gain >= 0


def test_a_gain_has_the_error_of_folds_that_share_rows() -> None:
    """Nadeau and Bengio: 1/k + 1/(k-1) times the variance of the differences; an error is better where it is small."""
    ours, theirs = [1.0, 2.0, 3.0, 5.0], [2.0, 2.5, 4.0, 5.0]
    gains = np.subtract(theirs, ours)
    gain, error = paired(ours, theirs, METRICS["rmse"].utility)

    assert gain == pytest.approx(gains.mean())
    assert error == pytest.approx(math.sqrt(gains.var(ddof=1) * (1 / 4 + 1 / 3)))
    assert paired([0.5], [0.25], METRICS["r2"].utility) == (0.25, None)


@pytest.mark.parametrize(
    ("gain", "error", "text"),
    [
        (0.0034, 0.0084, "0.9125 (+0.0034 ± 0.0084, within noise)"),
        (0.2, 0.05, "0.9125 (+0.2 ± 0.05)"),
        (0.2, None, "0.9125 (+0.2, within noise)"),
    ],
)
def test_a_gain_says_whether_it_is_noise(gain: float, error: float | None, text: str) -> None:
    """Two standard errors, chosen on the same folds, are nothing to claim."""
    tuned = Tuned(params={}, scores=[0.9125], mean=0.9125, fit_seconds=1.0, trials=3, gain=gain, error=error)

    assert str(tuned) == text
