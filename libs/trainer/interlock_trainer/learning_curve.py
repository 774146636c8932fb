"""Learning curve: how well the winner answers when it is fitted on fewer rows."""

from dataclasses import replace

from interlock_contracts.manifest import CurvePoint
from interlock_contracts.pipeline import Pipeline

from interlock_trainer.folds import Folds
from interlock_trainer.pools import FitPool
from interlock_trainer.selection import Scored, request_for

SHARES = (0.1, 0.25, 0.5)
"""Parts of each fold's training rows that the winner is fitted on; the whole was scored by the search."""


def learning_curve(pipeline: Pipeline, pool: FitPool, folds: Folds, winner: Scored) -> list[CurvePoint]:
    """Return the winner's scores on the folds by the rows that it was fitted on; nothing unless it is declared.

    Rows are drawn by the training's seed, and fewer are part of more. A fit that fails on few rows (a label may not be
    among them) has no score.
    """
    if not pipeline.training.learning_curve:
        return []
    requests = [
        replace(request_for(pipeline, winner.candidate, winner.params, fold), share=share)
        for share in SHARES
        for fold in range(len(folds.folds))
    ]
    scores: dict[float, list[float]] = {share: [] for share in SHARES}
    for position, result in pool.run(requests, winner.fit_seconds / len(winner.scores)):
        if result.score is not None and (share := requests[position].share) is not None:
            scores[share].append(result.score)
    rows = sum(len(fold.fit) for fold in folds.folds) / len(folds.folds)
    scores[1.0] = winner.scores
    return [CurvePoint(rows=round(share * rows), scores=found) for share, found in scores.items() if found]
