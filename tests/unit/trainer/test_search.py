from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.manifest import Budget
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


class Counting(InProcessPool):
    """A pool that does not fit; a trial is the better, the lower its learning rate, whatever its trees."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[FitRequest] = []

    def run(self, requests: Sequence[FitRequest], expected_seconds: float) -> Iterator[tuple[int, FitResult]]:
        """Answer in order."""
        assert expected_seconds > 0
        self.asked += requests
        for position, request in enumerate(requests):
            yield position, FitResult(1.0 - request.params.get("learning_rate", 0.0) + request.fold / 100, 0.01)


def test_halving_fits_whole_only_what_is_best_with_little() -> None:
    """24 trials: all on two folds with a quarter of the trees, 8 on the other three too, 4 with all of their trees."""
    of = pipeline(candidates=["xgboost"], trials=24, folds=5)
    pool = Counting()
    first = start(of, pool)
    pool.asked.clear()
    best, trials = search(of, pool, first, lambda *_: None)

    shown = [(trial.state, trial.budget.folds if trial.budget else 0) for trial in trials]
    rate = sorted(trial.params["learning_rate"] for trial in trials)
    assert len(pool.asked) == 24 * 2 + 8 * 3 + 4 * 5
    assert sorted(shown) == [("complete", 5)] * 4 + [("pruned", 2)] * 16 + [("pruned", 5)] * 4
    assert sorted(trial.params["learning_rate"] for trial in trials if trial.state == "complete") == rate[:4]
    assert best.params["learning_rate"] == min(rate[0], first.params["learning_rate"])
    for trial in trials:
        assert trial.budget is not None
        trees = trial.params["n_estimators"]
        assert trial.budget.rounds == (trees if trial.state == "complete" else round(trees / 4))
    fitted = sum(request.params["n_estimators"] for request in pool.asked)
    assert fitted < 0.4 * sum(5 * trial.params["n_estimators"] for trial in trials)


def test_a_kind_without_rounds_of_trees_is_halved_by_folds_alone() -> None:
    """What has been on all folds is complete, and is fitted no second time."""
    of = pipeline(trials=24, folds=5)
    pool = shared(InProcessPool(), of)

    best, trials = search(of, pool, start(of, pool), lambda *_: None)

    complete = [trial.score for trial in trials if trial.state == "complete" and trial.score is not None]
    assert [trial.number for trial in trials] == list(range(24))
    assert (
        sorted((trial.state, trial.budget.folds) for trial in trials if trial.budget)
        == [("complete", 5)] * 8 + [("pruned", 2)] * 16
    )
    assert best.mean >= max(complete)


@pytest.mark.parametrize("more", [{"trials": 5}, {"trials": 24, "search": {"strategy": "full"}}])
def test_a_full_search_fits_every_trial_whole(more: dict[str, Any]) -> None:
    """As does one of so few trials that halving would cost more than it saves."""
    of = pipeline(candidates=["xgboost"], folds=3, **more)
    pool = Counting()
    _, trials = search(of, pool, start(of, pool), lambda *_: None)

    assert {trial.state for trial in trials} == {"complete"}
    assert all(trial.budget == Budget(folds=3, rounds=trial.params["n_estimators"]) for trial in trials)


def test_declared_ranges_are_searched_in_place_of_the_own_ones() -> None:
    """Also of a parameter that is not searched otherwise; the rest keeps its range."""
    spaces = {"xgboost": {"max_depth": [9, 12], "gamma": [0.5, 0.75]}}
    of = pipeline(candidates=["xgboost"], trials=12, folds=2, search={"spaces": spaces})
    _, trials = search(of, pool := Counting(), start(of, pool), lambda *_: None)

    assert {trial.params["max_depth"] for trial in trials} <= {9, 10, 11, 12}
    assert all(0.5 <= trial.params["gamma"] <= 0.75 for trial in trials)
    assert all(0.03 <= trial.params["learning_rate"] <= 0.3 for trial in trials)


def test_a_candidate_far_behind_is_fitted_with_a_part_of_its_trees_only() -> None:
    """The two best at least are fitted whole, and what is not clearly worse."""

    class Near(Scripted):
        def run(self, requests: Sequence[FitRequest], expected_seconds: float) -> Iterator[tuple[int, FitResult]]:
            for position, result in super().run(requests, expected_seconds):
                wave = 0.01 * (requests[position].fold * (1 if requests[position].candidate == "lightgbm" else -1))
                yield position, FitResult((result.score or 0.0) + wave, 0.01)

    scores = {"random_forest": 0.5, "xgboost": 0.9, "linear": 0.89, "lightgbm": 0.885}
    of = pipeline(candidates=list(scores), folds=4)
    ranked, candidates = select(of, pool := Near(scores), lambda *_: None)

    assert [each.candidate for each in ranked] == ["lightgbm", "xgboost", "linear"]
    assert [each.budget for each in candidates] == [Budget(folds=4, rounds=25), None, None, None]
    whole = [request.candidate for request in pool.asked[16:]]
    assert whole == ["lightgbm"] * 4 + ["xgboost"] * 4


def test_where_the_promising_ones_cannot_be_fitted_whole_the_others_are() -> None:
    """A library may fail with many trees only."""

    class Whole(Scripted):
        def run(self, requests: Sequence[FitRequest], expected_seconds: float) -> Iterator[tuple[int, FitResult]]:
            for position, result in super().run(requests, expected_seconds):
                much = (
                    requests[position].params["n_estimators"] >= 100 and requests[position].candidate != "extra_trees"
                )
                yield position, FitResult(None, 0.01, "MemoryError") if much else result

    scores = {"random_forest": 0.9, "xgboost": 0.8, "extra_trees": 0.1}
    ranked, candidates = select(pipeline(candidates=list(scores)), Whole(scores), lambda *_: None)

    assert [each.candidate for each in ranked] == ["extra_trees"]
    assert [each.error for each in candidates] == ["MemoryError", "MemoryError", None]


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
