from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.pipeline import Pipeline
from interlock_trainer.errors import DataError
from interlock_trainer.fitting import FitRequest, FitResult
from interlock_trainer.folds import make_folds
from interlock_trainer.kinds import KINDS
from interlock_trainer.pools import FitPool, InProcessPool
from interlock_trainer.preprocessing import frame_of
from interlock_trainer.search import search
from interlock_trainer.selection import Scored, select
from interlock_trainer.tables import read_training_table

from tests.support.training_jobs import job, pipeline, table


class Backwards(InProcessPool):
    """A pool whose fits are done in another order than they were asked for."""

    def run(self, requests: Sequence[FitRequest], expected_seconds: float) -> Iterator[tuple[int, FitResult]]:
        """Fit all, then yield them from the last to the first."""
        yield from reversed(list(super().run(requests, expected_seconds)))


class Scripted(InProcessPool):
    """A pool that does not fit but looks scores up by candidate or penalty; what is not there fails."""

    def __init__(self, scores: dict[Any, float]) -> None:
        super().__init__()
        self.scores = scores
        self.asked: list[FitRequest] = []

    def run(self, requests: Sequence[FitRequest], expected_seconds: float) -> Iterator[tuple[int, FitResult]]:
        """Answer in order."""
        assert expected_seconds > 0
        self.asked += requests
        for position, request in enumerate(requests):
            score = self.scores.get(request.candidate)
            yield position, FitResult(score, 0.01, None if score is not None else "ValueError: out of luck")


class Failing(InProcessPool):
    """A pool in which every fit with a high penalty fails."""

    def run(self, requests: Sequence[FitRequest], expected_seconds: float) -> Iterator[tuple[int, FitResult]]:
        """Fit, or fail."""
        for position, result in super().run(requests, expected_seconds):
            heavy = requests[position].params["penalty"] > 1.0
            yield position, FitResult(None, 0.01, "LinAlgError: singular") if heavy else result


def shared(pool: FitPool, of: Pipeline) -> FitPool:
    store = MemoryStore()
    data = read_training_table(job(store, of, table("binary" if of.task == "classification" else "regression")), store)
    pool.share(make_folds(data, frame_of(data.signature, data.table), of.training.folds, of.training.seed))
    return pool


def start(of: Pipeline, pool: FitPool) -> Scored:
    return select(of, pool, lambda *_: None)[0][0]


def test_the_search_is_the_same_whatever_the_order_of_fits() -> None:
    """With a seed the manifest's scores repeat, on one worker or many."""
    of = pipeline(candidates=["xgboost"], trials=9, folds=2)
    runs = []
    for pool in (InProcessPool(), InProcessPool(), Backwards()):
        first = start(of, shared(pool, of))
        best, trials = search(of, pool, first, lambda *_: None)
        runs.append((best.params, best.scores, [(trial.params, trial.score, trial.state) for trial in trials]))

    assert runs[0] == runs[1] == runs[2]
    assert len(runs[0][2]) == 9


def test_another_seed_searches_elsewhere() -> None:
    """The seed of the pipeline reaches folds and search."""
    params = []
    for seed in (1, 2):
        of = pipeline(trials=2, seed=seed)
        pool = shared(InProcessPool(), of)
        params.append([trial.params for trial in search(of, pool, start(of, pool), lambda *_: None)[1]])

    assert params[0] != params[1]


def test_no_trials_keep_the_defaults() -> None:
    """``trials: 0`` is a pipeline without a search."""
    of = pipeline(trials=0)
    pool = shared(InProcessPool(), of)
    first = start(of, pool)

    assert search(of, pool, first, lambda *_: None) == (first, [])


def test_trials_that_fall_behind_are_pruned_after_a_fold() -> None:
    """A trial that is clearly worse costs one fit, is listed all the same, and never wins."""
    of = pipeline(trials=24)
    pool = shared(InProcessPool(), of)

    best, trials = search(of, pool, start(of, pool), lambda *_: None)

    states = {trial.state for trial in trials}
    complete = [trial.score for trial in trials if trial.state == "complete" and trial.score is not None]
    assert states == {"complete", "pruned"}
    assert [trial.number for trial in trials] == list(range(24))
    assert best.mean >= max(complete)


def test_failing_trials_are_recorded_and_the_rest_goes_on() -> None:
    """One bad corner of the search space does not cost the training."""
    of = pipeline(trials=12)
    first = start(of, shared(InProcessPool(), of))

    best, trials = search(of, shared(Failing(), of), first, lambda *_: None)

    failed = [trial for trial in trials if trial.state == "failed"]
    assert 0 < len(failed) < 12
    assert {trial.error for trial in failed} == {"LinAlgError: singular"}
    assert best.mean >= first.mean


def test_progress_is_reported_after_every_fit() -> None:
    """Somebody who watches sees fits, trials and the best score so far."""
    of = pipeline(trials=3)
    pool = shared(InProcessPool(), of)
    told: list[tuple[int, int, float]] = []

    search(of, pool, start(of, pool), lambda *progress: told.append(progress))

    assert [fits for _, fits, _ in told] == sorted(fits for _, fits, _ in told)
    assert told[-1][0] == 3
    assert 3 <= told[-1][1] <= 9


@pytest.mark.parametrize(("metric", "winner"), [("r2", "xgboost"), ("rmse", "linear"), ("bias", "linear")])
def test_the_winner_is_best_in_the_metrics_own_direction(metric: str, winner: str) -> None:
    """An error is better when it is small, a bias when it is near zero."""
    of = pipeline(candidates=["linear", "xgboost"], gate={"champion": {"metric": metric}})
    scores = {"linear": -0.125, "xgboost": 0.75}

    (best, *_), candidates = select(of, Scripted(scores), lambda *_: None)

    assert best.candidate == winner
    assert [(candidate.candidate, candidate.mean) for candidate in candidates] == list(scores.items())


def test_a_candidate_that_cannot_be_fitted_does_not_win() -> None:
    """It is listed with its reason, and another one goes on."""
    of = pipeline(candidates=["random_forest", "linear"])

    (best, *_), candidates = select(of, Scripted({"linear": -5.0}), lambda *_: None)

    assert best.candidate == "linear"
    assert (candidates[0].mean, candidates[0].error) == (None, "ValueError: out of luck")


def test_a_training_without_any_sound_candidate_fails_with_every_reason() -> None:
    """The reasons are the user's only clue."""
    of = pipeline(candidates=["random_forest", "linear"])

    with pytest.raises(DataError, match="random_forest: ValueError: out of luck; linear: ValueError"):
        select(of, Scripted({}), lambda *_: None)


def test_fixed_parameters_are_not_searched() -> None:
    """They are fitted with from the first fold on, and stand in every trial; the others are searched."""
    fixed = {"max_depth": 2, "reg_alpha": 0.5}
    of = pipeline(candidates=["xgboost"], trials=3, folds=2, parameters={"xgboost": fixed})
    pool = Scripted({"xgboost": 0.5})
    first = start(of, pool)
    _, trials = search(of, pool, first, lambda *_: None)

    assert all(fixed.items() <= request.params.items() for request in pool.asked)
    assert all(fixed.items() <= trial.params.items() for trial in trials)
    assert len({trial.params["learning_rate"] for trial in trials}) == 3
    assert first.params == KINDS["xgboost"].defaults | fixed


def test_there_is_no_search_where_all_is_fixed() -> None:
    """Every trial would be the same."""
    of = pipeline(trials=5, parameters={"linear": {"penalty": 3}})
    pool = Scripted({"linear": 0.5})
    first = start(of, pool)

    assert search(of, pool, first, lambda *_: None) == (first, [])
    assert first.params == {"penalty": 3.0}
