"""The ledger of claims on a real database: given out with the question to the gate, settled by the verdict."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from interlock_contracts.evaluation import EvaluationFailed
from interlock_contracts.ledger import Claim
from interlock_contracts.models import ModelRegistered
from interlock_contracts.training import TrainingCompleted
from interlock_messaging.tables import OutboxRow
from interlock_registry import ledger, promotion, store
from interlock_registry.ledger import ClaimRow
from sqlalchemy import select

from tests.integration.registry.test_promotion import DATASET, REF, Registry
from tests.support.signing import SIGNER

pytestmark = pytest.mark.integration

BUDGET = 0.05


class Ledger(Registry):
    """A registry whose model has a champion, and what it keeps of claims."""

    async def train_on(self, files: int) -> None:
        """Register a version that was trained on so many files, each of as many held-out rows."""
        datasets = [DATASET.model_copy(update={"digest": f"{number:064x}"}) for number in range(files)]
        await self.deliver(
            TrainingCompleted(
                run_id=uuid4(),
                model=self.model,
                attempt=1,
                pipeline_digest=self.digest,
                manifest=REF,
                artifact=REF,
                datasets=datasets,
            )
        )

    async def rows(self) -> list[ClaimRow]:
        async with self.database.sessions() as session:
            query = select(ClaimRow).where(ClaimRow.model == self.model).order_by(ClaimRow.number)
            return list(await session.scalars(query))

    async def asked(self) -> list[Claim | None]:
        """Return what the gate was told with each question about the model."""
        async with self.database.sessions() as session:
            query = select(OutboxRow.payload).where(OutboxRow.type == ModelRegistered.type).order_by(OutboxRow.seq)
            events = [ModelRegistered.model_validate_json(each) for each in await session.scalars(query)]
        return [event.claim for event in events if event.model == self.model]

    def refused(self, version: int, claim: int | None, **said: Any) -> EvaluationFailed:
        return EvaluationFailed(
            model=self.model,
            version=version,
            run_id=uuid4(),
            against=1,
            report=REF,
            reasons=["no"],
            claim=claim,
            **said,
        )


@pytest.fixture(params=["automatic"])
async def kept(request: pytest.FixtureRequest, servers: dict[str, str]) -> AsyncIterator[Ledger]:
    made = Ledger(servers, request.param)
    async with made.database.ready("interlock_messaging", "interlock_registry"):
        await made.keep_spec()
        await made.serve(1)
        yield made


async def test_a_claim_goes_out_with_the_question_and_is_settled_by_the_verdict(kept: Ledger) -> None:
    """The first version claims nothing. What a refused claim may have erred is spent before the next."""
    await kept.train_on(1)
    await kept.deliver(kept.refused(2, 1))
    await kept.train_on(2)
    first, second, third = await kept.asked()
    rows = await kept.rows()

    assert first is None
    assert second is not None
    assert third is not None
    assert (second.number, second.spent, second.budget) == (1, 0, pytest.approx(BUDGET))
    assert (third.number, third.spent) == (2, second.level)
    assert [(row.version, row.fresh, row.outcome) for row in rows] == [(2, 2, "refused"), (3, 2, "open")]
    assert second.level + third.level < BUDGET


async def test_a_verdict_that_is_delivered_again_changes_nothing(kept: Ledger) -> None:
    """Neither the same one nor one of an older gate, which names no claim."""
    await kept.train_on(1)
    await kept.deliver(kept.refused(2, 1))
    settled = (await kept.rows())[0].settled_at
    for again in (kept.refused(2, 1), kept.refused(2, None), kept.passed(2, 1)):
        await kept.deliver(again)
    (row,) = await kept.rows()

    assert (row.outcome, row.settled_at) == ("refused", settled)


async def test_an_equal_retrain_spends_nothing_and_a_promotion_neither(kept: Ledger) -> None:
    """What they might have erred goes to the next claim."""
    await kept.train_on(1)
    await kept.deliver(kept.refused(2, 1, tested=False))
    await kept.train_on(1)
    await kept.deliver(kept.passed(3, 1).model_copy(update={"claim": 2}))
    await kept.train_on(1)
    rows = await kept.rows()

    assert [row.outcome for row in rows] == ["untested", "promoted", "open"]
    assert [row.spent for row in rows] == [0, 0, 0]
    assert rows[1].carried == pytest.approx(rows[0].level)
    assert rows[2].carried == pytest.approx(rows[1].level)


async def test_versions_that_are_registered_at_once_share_the_budget(kept: Ledger) -> None:
    """One number each, and no portion is given out twice."""
    await asyncio.gather(*(kept.train_on(1) for _ in range(5)))
    rows = await kept.rows()

    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    assert [row.fresh for row in rows] == [2, 0, 0, 0, 0]
    assert sum(row.level for row in rows) < BUDGET
    assert rows[4].spent == pytest.approx(sum(row.level for row in rows[:4]))


@pytest.mark.parametrize("kept", ["approval"], indirect=True)
async def test_an_approval_opens_a_new_period(kept: Ledger) -> None:
    """Whoever approves answers for it: the whole budget is there again, and every row is fresh."""
    await kept.deliver(kept.passed(1, None))
    async with kept.database.sessions() as session, session.begin():
        await promotion.approve(session, kept.model, 1, by="ada", cause=str(uuid4()), signer=SIGNER)
    await kept.train_on(1)
    await kept.deliver(kept.passed(2, 1).model_copy(update={"claim": 1}))
    await kept.train_on(1)
    async with kept.database.sessions() as session, session.begin():
        await promotion.approve(session, kept.model, 2, by="ada", cause=str(uuid4()), signer=SIGNER)
    await kept.train_on(1)
    rows = await kept.rows()

    assert [(row.number, row.period) for row in rows] == [(1, 2), (2, 2), (3, 3)]
    assert (rows[2].fresh, rows[2].spent) == (2, 0)
    assert rows[2].level == rows[0].level


async def test_a_deleted_model_has_no_claims(kept: Ledger) -> None:
    """Its ledger goes in the transaction that deletes it."""
    await kept.train_on(1)
    async with kept.database.sessions() as session, session.begin():
        row = await store.lock_model(session, kept.model)
        row.archived_at = datetime.now(UTC)
        await ledger.forget(session, kept.model)

    assert await kept.rows() == []
