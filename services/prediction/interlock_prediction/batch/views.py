"""Views of batch predictions: schedule, progress and link to the result file."""

import asyncio

from interlock_artifacts import ArtifactStore
from interlock_contracts.prediction_bodies import PredictionView
from interlock_contracts.scoring import ScoringProgress

from interlock_prediction.batch.store import BatchRow
from interlock_prediction.store import PredictionRow


def with_batch_fields(seen: PredictionView, row: PredictionRow, batch: BatchRow | None) -> PredictionView:
    """Return ``seen`` with the fields of batch predictions; unchanged for other predictions."""
    if batch is None:
        return seen
    links = seen.links.model_copy(update={"result": f"{seen.links.self}/result" if row.result is not None else None})
    fields = {
        "schedule": batch.schedule,
        "unanswered": batch.unanswered,
        "warnings": batch.warnings,
        "links": links,
    }
    return seen.model_copy(update=fields)


async def read_progress(artifacts: ArtifactStore, row: PredictionRow) -> ScoringProgress | None:
    """Return the progress that the scorer of a running file reported last."""
    if row.state != "running":
        return None
    raw = await asyncio.to_thread(artifacts.read, f"predictions/{row.prediction_id}/progress.json")
    return ScoringProgress.model_validate_json(raw) if raw is not None else None
