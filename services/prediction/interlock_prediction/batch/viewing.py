"""What clients see of a file beyond what they see of every prediction."""

import asyncio

from interlock_artifacts import ArtifactStore
from interlock_contracts.http import PredictionView
from interlock_contracts.scoring import ScoringProgress

from interlock_prediction.batch.store import BatchRow
from interlock_prediction.store import PredictionRow


def described(seen: PredictionView, row: PredictionRow, batch: BatchRow | None) -> PredictionView:
    """Return the view with what is told of files only; as it is, where the prediction is of no file."""
    if batch is None:
        return seen
    links = seen.links.model_copy(update={"result": f"{seen.links.self}/result" if row.result is not None else None})
    told = {"schedule": batch.schedule, "unanswered": batch.unanswered, "links": links}
    return seen.model_copy(update=told)


async def progress_of(artifacts: ArtifactStore, row: PredictionRow) -> ScoringProgress | None:
    """Return how far a running file is, as its scorer told last."""
    if row.state != "running":
        return None
    raw = await asyncio.to_thread(artifacts.read, f"predictions/{row.prediction_id}/progress.json")
    return ScoringProgress.model_validate_json(raw) if raw is not None else None
