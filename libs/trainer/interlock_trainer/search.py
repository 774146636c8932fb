"""A small search around the winner: Optuna proposes, the pool fits, see decision 0011.

Trials are asked for in rounds of a fixed size, and told in order, so that scores don't depend on how many workers
there are. Each trial is fitted on the first fold; those that fall behind the best there by more than the best's own
folds differ (one standard deviation) are pruned, the others go on to the remaining folds.
"""

import logging
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from interlock_contracts import telemetry
from interlock_contracts.manifest import Trial
from interlock_contracts.pipeline import Pipeline
from interlock_modeling import METRICS
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from interlock_trainer.fitting import FitResult, span_of
from interlock_trainer.kinds import KINDS
from interlock_trainer.kinds.kind import Range
from interlock_trainer.phases import Attribute, Phases
from interlock_trainer.pools import FitPool
from interlock_trainer.selection import Scored, request_for

ROUND = 8
MOST_RECORDED = 500
"""Trials that have a span each in the trace; a search may have ten thousand, and the manifest names them all."""

Trials = list[optuna.Trial]

_logger = logging.getLogger(__name__)


def search(
    pipeline: Pipeline,
    pool: FitPool,
    start: Scored,
    on_progress: Callable[[int, int, float], None],
    phases: Phases | None = None,
) -> tuple[Scored, list[Trial]]:
    """Return the best of ``start`` and all trials, and the trials; none where every parameter is fixed.

    ``on_progress`` gets (trials done, fits done, best mean score) after every fit; each trial becomes a part of the
    phase that is open in ``phases``.
    """
    run = _Search(pipeline, pool, start, on_progress, phases or Phases())
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
    ) -> None:
        self.pipeline, self.pool, self.best, self._on_progress, self._phases = (
            pipeline,
            pool,
            start,
            on_progress,
            phases,
        )
        self.trials: list[Trial] = []
        self._fits = 0
        self._utility = METRICS[pipeline.champion.metric].utility
        self._expected_seconds = start.fit_seconds / len(start.scores)
        self._fixed = pipeline.training.parameters.get(start.candidate, {})
        space = KINDS[start.candidate].space
        self._space = {name: _distribution(span) for name, span in space.items() if name not in self._fixed}
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=pipeline.training.seed),
        )
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
        trials = [self._study.ask(self._space) for _ in range(min(ROUND, self.left))]
        first = self._fit(trials, folds=[0])
        going_on = [trial for trial in trials if self._holds_up(first[trial.number][0])]
        rest = self._fit(going_on, folds=range(1, self.pipeline.training.folds))
        for trial in trials:
            self._finish(trial, [*first[trial.number], *rest.get(trial.number, [])], pruned=trial not in going_on)

    def _fit(self, trials: Trials, folds: Sequence[int]) -> dict[int, list[FitResult]]:
        """Fit each trial on each of the folds; return the results in the folds' order by trial number."""
        wanted = [(trial.number, self._params(trial), fold) for trial in trials for fold in folds]
        requests = [request_for(self.pipeline, self.best.candidate, params, fold) for _, params, fold in wanted]
        results: dict[int, FitResult] = {}
        for position, result in self.pool.run(requests, self._expected_seconds):
            results[position] = result
            self._fits += 1
            self._on_progress(len(self.trials), self._fits, self.best.mean)
        of_trial: dict[int, list[FitResult]] = {trial.number: [] for trial in trials}
        for position, (number, _, _) in enumerate(wanted):
            of_trial[number].append(results[position])
        return of_trial

    def _holds_up(self, first: FitResult) -> bool:
        if first.score is None:
            return False
        margin = statistics.stdev(self.best.scores)
        return bool(self._utility(first.score) >= self._utility(self.best.scores[0]) - margin)

    def _finish(self, trial: optuna.Trial, results: list[FitResult], *, pruned: bool) -> None:
        scores = [result.score for result in results if result.score is not None]
        seconds = sum(result.seconds for result in results)
        error = next((result.error for result in results if result.error is not None), None)
        mean = statistics.fmean(scores) if scores and error is None else None
        if error is not None:
            self._study.tell(trial, state=TrialState.FAIL)
        elif pruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, self._utility(mean))
            self._keep_best(Scored(self.best.candidate, self._params(trial), scores, seconds))
        state: Any = "failed" if error is not None else "pruned" if pruned else "complete"
        self.trials.append(
            Trial(
                number=len(self.trials),
                params=self._params(trial),
                score=mean,
                fit_seconds=seconds,
                state=state,
                error=error,
            )
        )
        text = "trial %d %s: %s with %s"
        _logger.info(text, len(self.trials), state, error or mean, self.trials[-1].params)
        self._record(self.trials[-1], results)
        self._on_progress(len(self.trials), self._fits, self.best.mean)

    def _params(self, trial: optuna.Trial) -> dict[str, Any]:
        return {**trial.params, **self._fixed}

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


def _distribution(span: Range) -> BaseDistribution:
    if span.whole:
        return IntDistribution(int(span.low), int(span.high), log=span.log)
    return FloatDistribution(span.low, span.high, log=span.log)
