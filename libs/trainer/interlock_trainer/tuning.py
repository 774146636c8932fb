"""Which candidates are searched around, in which order they are tried, and what tuning has gained."""

import logging
from collections.abc import Iterator, Sequence

from interlock_contracts import telemetry
from interlock_contracts.manifest import CandidateScores, Trial, Tuned
from interlock_contracts.pipeline import Pipeline
from interlock_modeling import METRICS

from interlock_trainer.paired import paired
from interlock_trainer.phases import Phases
from interlock_trainer.pools import FitPool
from interlock_trainer.progress import Progress
from interlock_trainer.search import search
from interlock_trainer.selection import Scored, select

_logger = logging.getLogger(__name__)


class Tuning:
    """The searches of a training; ``trials`` are those of all of them, numbered on."""

    def __init__(self, pipeline: Pipeline, pool: FitPool, progress: Progress, phases: Phases) -> None:
        self._pipeline, self._pool, self._progress, self._phases = pipeline, pool, progress, phases
        self._utility = METRICS[pipeline.champion.metric].utility
        self._tuned: dict[str, tuple[Scored, Scored, int]] = {}
        self.trials: list[Trial] = []

    def best_first(self, ranked: Sequence[Scored], candidates: Sequence[CandidateScores]) -> Iterator[Scored]:
        """Yield the tuned candidates, the best first; those after it count only if it cannot be served.

        With ``tune: all`` every one is tuned before the first comes. What the selection has left out, for being clearly
        worse with a part of its trees, comes last, and is fitted whole only then.
        """
        if self._pipeline.training.search.tune == "all":
            found = [self._searched(start) for start in ranked]
            yield from sorted(found, key=lambda each: -float(self._utility(each.mean)))
        else:
            for start in ranked:
                yield self._searched(start)
        if left := [each.candidate for each in candidates if each.budget is not None]:
            whole = {
                "candidates": left,
                "search": self._pipeline.training.search.model_copy(update={"strategy": "full"}),
            }
            training = self._pipeline.training.model_copy(update=whole)
            more, _ = select(self._pipeline.model_copy(update={"training": training}), self._pool, lambda *_: None)
            for start in more:
                yield self._searched(start)

    def told(self, candidate: CandidateScores) -> CandidateScores:
        """Return a candidate's scores with what its search has found, if there was one."""
        start, best, trials = self._tuned.get(candidate.candidate, (None, None, 0))
        if start is None or best is None or not trials:
            return candidate
        gain, error = paired(best.scores, start.scores, self._utility)
        tuned = Tuned(
            params=best.params,
            scores=best.scores,
            mean=best.mean,
            fit_seconds=best.fit_seconds,
            trials=trials,
            gain=gain,
            error=error,
        )
        return candidate.model_copy(update={"tuned": tuned})

    def _searched(self, start: Scored) -> Scored:
        metric = self._pipeline.champion.metric
        self._progress.update(stage="search", best_score=start.mean)
        with self._phases.phase(telemetry.SPAN_SEARCH) as seen:
            best, trials = search(
                self._pipeline,
                self._pool,
                start,
                lambda done, fits, score: self._progress.update(
                    trials_done=done, best_score=score, message=f"{fits} fits"
                ),
                self._phases,
                first=len(self.trials),
            )
            seen |= {telemetry.METRIC: metric, telemetry.TRIALS: len(trials), telemetry.SCORE: best.mean}
        _logger.info("the best %s: %s %s with %s", best.candidate, metric, best.mean, best.params)
        self.trials += trials
        self._tuned[start.candidate] = start, best, len(trials)
        return best
