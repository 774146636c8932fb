"""The ledger of a model's claims over REST."""

from typing import Annotated

from interlock_contracts.ledger import ClaimView, LedgerView
from interlock_contracts.pipeline import Pipeline
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.limits import INT32_MAX
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy import select

from interlock_registry import ledger, store
from interlock_registry.budget import RETURNED, allowance, spent
from interlock_registry.ledger import ClaimRow
from interlock_registry.routes import unknown_model
from interlock_registry.store import ModelRow


@get("/models/{name:str}/ledger", opt={SCOPE: "read"})
async def read_ledger(
    name: FromPath[str],
    database: NamedDependency[Database],
    *,
    before: Annotated[int, QueryParameter(ge=1, le=INT32_MAX)] = INT32_MAX,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> LedgerView:
    """Return what a model's claims to be better may err and have spent; ``before`` is the last of the page before."""
    newest = select(ClaimRow).where(ClaimRow.model == name, ClaimRow.number < before)
    async with database.sessions() as session:
        if not (found := await store.pipelines(session, name)):
            raise await unknown_model(session, name)
        model = await session.get(ModelRow, name)
        period = await ledger.present_period(session, name)
        present = await ledger.claims_of(session, name, period)
        page = (await session.scalars(newest.order_by(ClaimRow.number.desc()).limit(limit))).all()
    budget = 1 - Pipeline.model_validate(found[0][1].spec).champion.confidence
    booked = [claim.booked for claim in present]
    serves = model is not None and model.champion is not None
    grown = next((claim.fresh for claim in reversed(booked) if claim.fresh), 0)
    return LedgerView(
        model=name,
        period=period,
        budget=budget,
        spent=spent(booked),
        next_level=allowance(booked, 0, budget).level if serves else None,
        next_level_fresh=allowance(booked, grown, budget).level if serves else None,
        claims=[_view(claim) for claim in page],
    )


def _view(row: ClaimRow) -> ClaimView:
    return ClaimView(
        number=row.number,
        period=row.period,
        version=row.version,
        against=row.against,
        rows=row.rows,
        fresh=row.fresh,
        level=row.level,
        spent=0.0 if row.outcome in RETURNED else row.level,
        outcome=row.outcome,
        claimed_at=row.claimed_at,
        settled_at=row.settled_at,
    )


ROUTES = [read_ledger]
