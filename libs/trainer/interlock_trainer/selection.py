"""Model selection: the best candidate with its default parameters, by cross-validation."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from interlock_contracts import telemetry
from interlock_contracts.candidates import Candidate
from interlock_contracts.manifest import CandidateScores
from interlock_contracts.pipeline import Pipeline
from interlock_modeling import METRICS

from interlock_trainer.errors import DataError
from interlock_trainer.fitting import FitRequest, FitResult, span_of
from interlock_trainer.kinds import KINDS
from interlock_trainer.phases import Attribute, Phases
from interlock_trainer.pools import FitPool


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


def select(
    pipeline: Pipeline, pool: FitPool, on_progress: Callable[[int, int], None], phases: Phases | None = None
) -> tuple[list[Scored], list[CandidateScores]]:
    """Return the candidates that could be fitted, the best first, and the scores of all.

    ``on_progress`` gets (fits done, fits in all). Each candidate becomes a part of the open one of ``phases``.

    Raises:
        DataError: no candidate could be fitted on every fold.
    """
    training = pipeline.training
    requests = [
        request_for(pipeline, candidate, start_params(pipeline, candidate), fold)
        for candidate in training.candidates
        for fold in range(training.folds)
    ]
    results: dict[int, FitResult] = {}
    for position, result in pool.run(requests, expected_seconds=1.0):
        results[position] = result
        on_progress(len(results), len(requests))
    fitted = [results[position] for position in range(len(requests))]
    of_each = [fitted[start : start + training.folds] for start in range(0, len(fitted), training.folds)]
    candidates = [_scores(name, folds) for name, folds in zip(training.candidates, of_each, strict=True)]
    for candidate, fits in zip(candidates, of_each, strict=True):
        if phases is not None:
            _record(phases, candidate, fits)
    sound = [candidate for candidate in candidates if candidate.error is None]
    if not sound:
        reasons = "; ".join(f"{candidate.candidate}: {candidate.error}" for candidate in candidates)
        raise DataError(f"no candidate could be fitted: {reasons}")
    utility = METRICS[pipeline.champion.metric].utility
    sound.sort(key=lambda candidate: -float(utility(candidate.mean)))  # of equal ones that which is named first
    names = [training.candidates[candidates.index(each)] for each in sound]
    ranked = [
        Scored(name, start_params(pipeline, name), each.scores, each.fit_seconds)
        for name, each in zip(names, sound, strict=True)
    ]
    return ranked, candidates


def _record(phases: Phases, candidate: CandidateScores, fits: Sequence[FitResult]) -> None:
    about: dict[str, Attribute] = {telemetry.CANDIDATE: candidate.candidate}
    if candidate.mean is not None:
        about[telemetry.SCORE] = candidate.mean
    phases.record(telemetry.SPAN_CANDIDATE, *span_of(fits), about, error=candidate.error)


def _scores(name: Candidate, folds: list[FitResult]) -> CandidateScores:
    scores = [result.score for result in folds if result.score is not None]
    complete = len(scores) == len(folds)
    return CandidateScores(
        candidate=name,
        scores=scores,
        mean=statistics.fmean(scores) if complete else None,
        fit_seconds=sum(result.seconds for result in folds),
        error=next((result.error for result in folds if result.error is not None), None),
    )
