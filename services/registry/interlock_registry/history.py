"""Serving history: every promotion of a model, when, and who decided it."""

from typing import Annotated

from interlock_contracts.event import trace_id_of
from interlock_contracts.rollout import PromotionView
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.limits import INT32_MAX
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy import select

from interlock_registry import store
from interlock_registry.routes import unknown_model
from interlock_registry.store import PromotionRow


@get("/models/{name:str}/promotions", opt={SCOPE: "read"})
async def list_promotions(
    name: FromPath[str],
    database: NamedDependency[Database],
    *,
    before: Annotated[int, QueryParameter(ge=1, le=INT32_MAX)] = INT32_MAX,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> list[PromotionView]:
    """Return a model's promotions, the newest first; ``before`` is the last number of the page before."""
    query = (
        select(PromotionRow)
        .where(PromotionRow.model == name, PromotionRow.seq < before)
        .order_by(PromotionRow.seq.desc())
        .limit(limit)
    )
    async with database.sessions() as session:
        if not await store.pipelines(session, name):
            raise await unknown_model(session, name)
        return [_view(row) for row in await session.scalars(query)]


def _view(row: PromotionRow) -> PromotionView:
    return PromotionView(
        promotion_seq=row.seq,
        version=row.version,
        cause=row.cause,  # type: ignore[arg-type]
        by=row.by,
        promoted_at=row.promoted_at,
        trace_id=trace_id_of(row.traceparent),
        stage=row.stage,
    )


ROUTES = [list_promotions]
