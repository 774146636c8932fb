"""The ledger of a model's claims: each is given what it may err when the gate is asked, and settled by the verdict."""

from collections.abc import Sequence
from datetime import UTC, datetime

from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.ledger import Claim, Outcome
from interlock_contracts.pipeline import Pipeline
from sqlalchemy import ForeignKeyConstraint, UniqueConstraint, delete, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from interlock_registry import store
from interlock_registry.budget import Booked, allowance, spent
from interlock_registry.store import ModelRow, PromotionRow, VersionRow


class ClaimRow(store.Table):
    """One claim that a version is better than the champion; ``files`` are those whose rows were fresh in its period.

    ``spent`` is what the claims of the period before it had spent when it was made.
    """

    __tablename__ = "claim"
    __table_args__ = (
        ForeignKeyConstraint(["model", "version"], ["version.model", "version.version"]),
        UniqueConstraint("model", "version", "request"),
    )

    model: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    period: Mapped[int]
    version: Mapped[int]
    request: Mapped[int]
    against: Mapped[int]
    rows: Mapped[int]
    fresh: Mapped[int]
    files: Mapped[list[str]] = mapped_column(JSONB)
    level: Mapped[float]
    carried: Mapped[float]
    spent: Mapped[float]
    outcome: Mapped[Outcome]
    claimed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    settled_at: Mapped[datetime | None]

    @property
    def booked(self) -> Booked:
        """Return it as the budget sees it."""
        return Booked(fresh=self.fresh, level=self.level, carried=self.carried, outcome=self.outcome)


async def make_claim(
    session: AsyncSession, model: ModelRow, version: VersionRow, spec: Pipeline, *, champion: int | None
) -> Claim | None:
    """Return what the comparison of ``version`` with the ``champion`` may err; None where there is none.

    ``model`` must be locked: its claims, for whatever stage, are numbered one after another and share one budget.
    """
    if champion is None:
        return None
    period = await present_period(session, model.name)
    earlier = await claims_of(session, model.name, period)
    used = {digest for claim in earlier for digest in claim.files}
    judged_on = {each.digest: each.holdout_rows for each in version.judged_on}
    fresh = {digest: rows for digest, rows in judged_on.items() if digest not in used}
    budget = 1 - spec.champion.confidence
    booked = [claim.booked for claim in earlier]
    allowed = allowance(booked, sum(fresh.values()), budget)
    last = await session.scalar(select(func.max(ClaimRow.number)).where(ClaimRow.model == model.name))
    row = ClaimRow(
        model=model.name,
        number=(last or 0) + 1,
        period=period,
        version=version.version,
        request=version.evaluation_requests,
        against=champion,
        rows=sum(judged_on.values()),
        fresh=sum(fresh.values()),
        files=sorted(fresh),
        level=allowed.level,
        carried=allowed.carried,
        spent=spent(booked),
        outcome="open",
    )
    session.add(row)
    return Claim(number=row.number, level=row.level, spent=row.spent, budget=budget)


async def settle(session: AsyncSession, event: EvaluationPassed | EvaluationFailed, *, promoted: bool = False) -> None:
    """Book the verdict on a claim; one that has its verdict keeps it, whatever is delivered again."""
    query = select(ClaimRow).where(ClaimRow.model == event.model, ClaimRow.version == event.version)
    if event.claim is not None:
        query = query.where(ClaimRow.number == event.claim)
    row = (await session.scalars(query.order_by(ClaimRow.number.desc()).limit(1))).one_or_none()
    if row is None or row.outcome != "open":
        return
    if not event.tested:
        row.outcome = "untested"
    elif promoted:
        row.outcome = "promoted"
    else:
        row.outcome = "passed" if isinstance(event, EvaluationPassed) else "refused"
    row.settled_at = datetime.now(UTC)


async def forget(session: AsyncSession, model: str) -> None:
    """Delete a model's claims, as it is deleted itself."""
    await session.execute(delete(ClaimRow).where(ClaimRow.model == model))


async def present_period(session: AsyncSession, model: str) -> int:
    """Return which period it is: whoever approves a version answers for it, and opens a new one."""
    query = select(func.count()).where(PromotionRow.model == model, PromotionRow.cause == "approval")
    return (await session.scalar(query) or 0) + 1


async def claims_of(session: AsyncSession, model: str, period: int) -> Sequence[ClaimRow]:
    """Return the claims of a period, in order."""
    query = select(ClaimRow).where(ClaimRow.model == model, ClaimRow.period == period).order_by(ClaimRow.number)
    return (await session.scalars(query)).all()
