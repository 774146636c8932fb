"""Model selection: the best candidates with their default parameters, by cross-validation."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from interlock_contracts import telemetry
from interlock_contracts.candidates import Candidate
from interlock_contracts.manifest import Budget, CandidateScores
from interlock_contracts.pipeline import Pipeline
from interlock_modeling import METRICS

from interlock_trainer.errors import DataError
from interlock_trainer.fitting import FitRequest, FitResult, span_of
from interlock_trainer.kinds import KINDS
from interlock_trainer.paired import paired
from interlock_trainer.phases import Attribute, Phases
from interlock_trainer.pools import FitPool

CHEAP = 0.25
"""Part of the rounds of trees with which it is found out what is worth a whole fit."""

KEPT, WITHIN = 2, 2.0
"""So many candidates are fitted whole at least, and all that are behind the best by at most so many standard errors."""

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Scored:
    """A candidate with parameters and its score on each fold."""

    candidate: Candidate
    params: dict[str, Any]
    scores: list[float]
    fit_seconds: float

    @property
    def mean(self) -> float:
        """Return the mean score over the folds."""
        return statistics.fmean(self.scores)


def request_for(pipeline: Pipeline, candidate: Candidate, params: dict[str, Any], fold: int) -> FitRequest:
    """Return the fit of a candidate on a fold."""
    seed, metric = pipeline.training.seed, pipeline.champion.metric
    transform, threshold, quantile = (
        pipeline.target_transform,
        pipeline.training.threshold_number,
        pipeline.training.quantile,
    )
    return FitRequest(candidate, pipeline.task, params, seed, metric, fold, transform, threshold, quantile)


def start_params(pipeline: Pipeline, candidate: Candidate) -> dict[str, Any]:
    """Return what a candidate is fitted with before any search: its defaults, and what the pipeline fixes."""
    return {**KINDS[candidate].defaults, **pipeline.training.parameters.get(candidate, {})}


def cheaper(candidate: Candidate, params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with a part of their rounds; the same where the kind has none."""
    rounds = KINDS[candidate].rounds
    return params if rounds is None else {**params, rounds: max(1, round(CHEAP * params[rounds]))}


def select(
    pipeline: Pipeline, pool: FitPool, on_progress: OnProgress, phases: Phases | None = None
) -> tuple[list[Scored], list[CandidateScores]]:
    """Return the candidates that were fitted whole, the best first, and the scores of all.

    By halving, all are fitted with a part of their rounds of trees first, and whole only where they may still win.
    ``on_progress`` gets (fits done, fits in all so far). Each candidate becomes a part of the open one of ``phases``.

    Raises:
        DataError: no candidate could be fitted on every fold.
    """
    selection = _Selection(pipeline, pool, on_progress)
    names, search = pipeline.training.candidates, pipeline.training.search
    if search.strategy == "full" or search.tune == "all" or len(names) <= KEPT:
        selection.fit(names)
    else:
        selection.fit(names, cheap=True)
        selection.fit(selection.promising())
        if not selection.whole():
            selection.fit([name for name in names if name in selection.cheap])
    candidates = [selection.scores(name) for name in names]
    if phases is not None:
        for candidate, name in zip(candidates, names, strict=True):
            _record(phases, candidate, selection.fits[name])
    if not selection.whole():
        reasons = "; ".join(f"{candidate.candidate}: {candidate.error}" for candidate in candidates)
        raise DataError(f"no candidate could be fitted: {reasons}")
    return selection.whole(), candidates


class _Selection:
    """What has been fitted so far: all fits of each candidate, and those of its last round that was fitted."""

    def __init__(self, pipeline: Pipeline, pool: FitPool, on_progress: OnProgress) -> None:
        self._pipeline, self._pool, self._on_progress = pipeline, pool, on_progress
        self._utility = METRICS[pipeline.champion.metric].utility
        self._done = self._wanted = 0
        self.fits: dict[Candidate, list[FitResult]] = {}
        self.cheap: set[Candidate] = set()
        """The candidates whose last fits had a part of their rounds only."""

    def fit(self, names: Sequence[Candidate], *, cheap: bool = False) -> None:
        """Fit candidates on every fold; ``cheap`` ones with a part of their rounds."""
        folds = self._pipeline.training.folds
        requests = [
            request_for(self._pipeline, name, self._params(name, cheap=cheap), fold)
            for name in names
            for fold in range(folds)
        ]
        self._wanted += len(requests)
        results: dict[int, FitResult] = {}
        for position, result in self._pool.run(requests, expected_seconds=1.0):
            results[position] = result
            self._done += 1
            self._on_progress(self._done, self._wanted)
        for at, name in enumerate(names):
            self.fits[name] = [results[at * folds + fold] for fold in range(folds)]
        self.cheap = {name for name in self.cheap if name not in names}
        if cheap:
            self.cheap |= {name for name in names if KINDS[name].rounds is not None}

    def promising(self) -> list[Candidate]:
        """Return the cheaply fitted ones that are not clearly worse than the best, two of all candidates at least."""
        sound = [name for name in self.fits if self.scores(name).error is None]
        if not sound:
            return []
        ranked = sorted(sound, key=lambda name: -float(self._utility(self._mean(name))))
        best = self.scores(ranked[0]).scores
        gaps = {name: paired(best, self.scores(name).scores, self._utility) for name in ranked}
        close = {name for name, (gap, error) in gaps.items() if gap <= WITHIN * (error or 0.0)}
        kept = {*ranked[:KEPT], *close}
        return [name for name in ranked if name in kept and name in self.cheap]

    def whole(self) -> list[Scored]:
        """Return the candidates that were fitted whole on every fold, the best first; of equal ones the first named."""
        sound = [name for name in self.fits if name not in self.cheap and self.scores(name).error is None]
        scored = [self._scored(name) for name in sound]
        return sorted(scored, key=lambda each: -float(self._utility(each.mean)))

    def scores(self, name: Candidate) -> CandidateScores:
        fits = self.fits[name]
        scores = [result.score for result in fits if result.score is not None]
        rounds = KINDS[name].rounds
        return CandidateScores(
            candidate=name,
            scores=scores,
            mean=statistics.fmean(scores) if len(scores) == len(fits) else None,
            fit_seconds=sum(result.seconds for result in fits),
            error=next((result.error for result in fits if result.error is not None), None),
            budget=Budget(folds=len(scores), rounds=self._params(name, cheap=True)[rounds])
            if name in self.cheap and rounds is not None
            else None,
        )

    def _mean(self, name: Candidate) -> float:
        return statistics.fmean(self.scores(name).scores)

    def _scored(self, name: Candidate) -> Scored:
        found = self.scores(name)
        return Scored(name, start_params(self._pipeline, name), found.scores, found.fit_seconds)

    def _params(self, name: Candidate, *, cheap: bool) -> dict[str, Any]:
        params = start_params(self._pipeline, name)
        return cheaper(name, params) if cheap else params


def _record(phases: Phases, candidate: CandidateScores, fits: Sequence[FitResult]) -> None:
    about: dict[str, Attribute] = {telemetry.CANDIDATE: candidate.candidate}
    if candidate.mean is not None:
        about[telemetry.SCORE] = candidate.mean
    phases.record(telemetry.SPAN_CANDIDATE, *span_of(fits), about, error=candidate.error)
