"""A search around a candidate: Optuna proposes, the pool fits, the better go on; see decisions 0011 and 0165.

Trials are asked for in rounds of a fixed size, and told in order, so that scores don't depend on how many workers there
are. By halving, all trials of a round are fitted on two folds with a quarter of their trees, a third of them on the
other folds too, and a sixth with all of their trees. They are compared on the same folds only.
"""

import logging
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from interlock_contracts import telemetry
from interlock_contracts.manifest import Budget, Trial
from interlock_contracts.pipeline import Pipeline
from interlock_modeling import METRICS
from optuna.trial import TrialState

from interlock_trainer.fitting import FitResult, span_of
from interlock_trainer.kinds import KINDS
from interlock_trainer.phases import Attribute, Phases
from interlock_trainer.pools import FitPool
from interlock_trainer.selection import CHEAP, Scored, cheaper, request_for
from interlock_trainer.spaces import contains, space_of

ROUND = 24
FIRST_FOLDS = 2
FEW = 6
"""Trials in a round below which halving costs more than it saves."""

MOST_RECORDED = 500
"""Trials that have a span each in the trace; a search may have ten thousand, and the manifest names them all."""

_logger = logging.getLogger(__name__)


@dataclass
class _Trial:
    """A trial while it is fitted: what it has been fitted with last, and all its fits."""

    asked: optuna.Trial
    params: dict[str, Any]
    rounds: int | None = None
    scores: list[float] = field(default_factory=list)
    fits: list[FitResult] = field(default_factory=list)
    whole: bool = False

    @property
    def error(self) -> str | None:
        return next((each.error for each in self.fits if each.error is not None), None)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores)


def search(
    pipeline: Pipeline,
    pool: FitPool,
    start: Scored,
    on_progress: Callable[[int, int, float], None],
    phases: Phases | None = None,
    *,
    first: int = 0,
) -> tuple[Scored, list[Trial]]:
    """Return the best of ``start`` and all trials, and the trials; none where every parameter is fixed.

    Trials are numbered from ``first`` on. ``on_progress`` gets (trials done, fits done, best mean score) after every
    fit; each trial becomes a part of the phase that is open in ``phases``.
    """
    run = _Search(pipeline, pool, start, on_progress, phases or Phases(), first=first)
    while run.left:
        run.round()
    return run.best, run.trials


class _Search:
    def __init__(
        self,
        pipeline: Pipeline,
        pool: FitPool,
        start: Scored,
        on_progress: Callable[[int, int, float], None],
        phases: Phases,
        *,
        first: int,
    ) -> None:
        self.pipeline, self.pool, self.best, self._first = pipeline, pool, start, first
        self._on_progress, self._phases = on_progress, phases
        self.trials: list[Trial] = []
        self._fits = 0
        self._utility = METRICS[pipeline.champion.metric].utility
        self._expected_seconds = start.fit_seconds / len(start.scores)
        self._folds = pipeline.training.folds
        self._rounds = KINDS[start.candidate].rounds
        self._fixed = {**start.params, **pipeline.training.parameters.get(start.candidate, {})}
        self._space = space_of(pipeline, start.candidate)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=pipeline.training.seed),
        )
        if contains(self._space, start.params):
            self._study.add_trial(
                optuna.create_trial(
                    params={name: start.params[name] for name in self._space},
                    distributions=self._space,
                    value=self._utility(start.mean),
                )
            )

    @property
    def left(self) -> int:
        return self.pipeline.training.trials - len(self.trials) if self._space else 0

    def round(self) -> None:
        asked = [self._study.ask(self._space) for _ in range(min(ROUND, self.left))]
        trials = [_Trial(each, {**self._fixed, **each.params}) for each in asked]
        if self.pipeline.training.search.strategy == "halving" and len(trials) >= FEW:
            self._climb(trials)
        else:
            self._fit_whole(trials)
        for trial in trials:
            self._finish(trial)

    def _climb(self, trials: list[_Trial]) -> None:
        """Fit all on the first folds, the best third on the other ones, the best sixth with all of their trees."""
        first = list(range(min(FIRST_FOLDS, self._folds)))
        self._fit(trials, first, cheap=True)
        third = self._best(trials, math.ceil(len(trials) / 3))
        self._fit(third, range(len(first), self._folds), cheap=True)
        if self._rounds is None:
            for trial in third:
                trial.whole = trial.error is None
        else:
            self._fit_whole(self._best(third, math.ceil(len(trials) / 6)))

    def _best(self, trials: list[_Trial], count: int) -> list[_Trial]:
        sound = [trial for trial in trials if trial.error is None]
        return sorted(sound, key=lambda trial: -float(self._utility(trial.mean)))[:count]

    def _fit_whole(self, trials: list[_Trial]) -> None:
        for trial in trials:
            trial.scores = []
        self._fit(trials, range(self._folds))
        for trial in trials:
            trial.whole = trial.error is None

    def _fit(self, trials: list[_Trial], folds: Sequence[int], *, cheap: bool = False) -> None:
        """Fit each trial on each of the folds, ``cheap`` ones with fewer rounds; its scores are in the folds' order."""
        kind = self.best.candidate
        wanted, requests = [(trial, fold) for trial in trials for fold in folds], []
        for trial, fold in wanted:
            params = cheaper(kind, trial.params) if cheap else trial.params
            trial.rounds = params[self._rounds] if self._rounds is not None else None
            requests.append(request_for(self.pipeline, kind, params, fold))
        results: dict[int, FitResult] = {}
        for position, result in self.pool.run(requests, self._expected_seconds * (CHEAP if cheap else 1.0)):
            results[position] = result
            self._fits += 1
            self._on_progress(self._first + len(self.trials), self._fits, self.best.mean)
        for position, (trial, _) in enumerate(wanted):
            trial.fits.append(results[position])
            if (score := results[position].score) is not None:
                trial.scores.append(score)

    def _finish(self, trial: _Trial) -> None:
        seconds = sum(each.seconds for each in trial.fits)
        state: Any = "failed" if trial.error is not None else "complete" if trial.whole else "pruned"
        if state == "failed":
            self._study.tell(trial.asked, state=TrialState.FAIL)
        elif state == "pruned":
            self._study.tell(trial.asked, state=TrialState.PRUNED)
        else:
            self._study.tell(trial.asked, self._utility(trial.mean))
            self._keep_best(Scored(self.best.candidate, trial.params, trial.scores, seconds))
        self.trials.append(
            Trial(
                candidate=self.best.candidate,
                number=self._first + len(self.trials),
                params=trial.params,
                budget=Budget(folds=len(trial.scores), rounds=trial.rounds),
                score=trial.mean if trial.error is None else None,
                fit_seconds=seconds,
                state=state,
                error=trial.error,
            )
        )
        told = self.trials[-1]
        _logger.info("trial %d %s: %s with %s", told.number + 1, state, trial.error or told.score, told.params)
        self._record(told, trial.fits)
        self._on_progress(self._first + len(self.trials), self._fits, self.best.mean)

    def _record(self, trial: Trial, fits: list[FitResult]) -> None:
        if trial.number >= MOST_RECORDED:
            return
        about: dict[str, Attribute] = {telemetry.TRIAL: trial.number, telemetry.TRIAL_STATE: trial.state}
        if trial.score is not None:
            about[telemetry.SCORE] = trial.score
        self._phases.record(telemetry.SPAN_TRIAL, *span_of(fits), about, error=trial.error)

    def _keep_best(self, scored: Scored) -> None:
        if self._utility(scored.mean) > self._utility(self.best.mean):
            self.best = scored
