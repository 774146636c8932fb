"""Predictions over HTTP: state and result."""

from uuid import UUID

import msgspec
from interlock_contracts.http import PredictionLinks, PredictionView
from interlock_contracts.predictions import RowFault
from interlock_runtime.http import problem
from litestar import get
from litestar.datastructures import State
from litestar.params import FromPath

from interlock_prediction.store import PredictionRow


@get("/predictions/{prediction_id:uuid}")
async def read_prediction(prediction_id: FromPath[UUID], state: State) -> PredictionView:
    """Return one prediction; 404 with Retry-After for one that is accepted but has not come through the bus yet."""
    async with state.database.sessions() as session:
        return view(_known(await session.get(PredictionRow, prediction_id), prediction_id))


def _known(row: PredictionRow | None, prediction_id: UUID) -> PredictionRow:
    if row is None:
        detail = f"no prediction {prediction_id} is known yet; one just accepted takes a moment to be answered"
        raise problem(404, "Unknown prediction", detail, headers={"Retry-After": "1"})
    return row


def view(row: PredictionRow) -> PredictionView:
    """Return what clients see of a prediction."""
    return PredictionView(
        id=row.prediction_id,
        model=row.model,
        state=row.state,
        version=row.version,
        rows=row.rows,
        answer=msgspec.json.decode(row.answer) if row.answer is not None else None,
        reason=row.reason,
        errors=[RowFault.model_validate(fault) for fault in row.errors or []],
        request_sha256=row.request_sha256,
        requested_at=row.requested_at,
        ended_at=row.ended_at,
        expires_at=row.expires_at,
        trace_id=row.traceparent.split("-")[1] if row.traceparent else None,
        links=PredictionLinks.of(row.prediction_id),
    )


ROUTES = [read_prediction]
