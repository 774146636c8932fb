"""Who serves, and how that changes: on a real database, handler by handler."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.event import Envelope, Event
from interlock_contracts.models import ModelRegistered, RollbackRequested
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef
from interlock_contracts.training import TrainingCompleted
from interlock_messaging import PoisonError
from interlock_messaging.tables import OutboxRow
from interlock_registry import handlers, lists, promotion, store
from interlock_registry.store import ModelRow, SpecRow, VersionRow
from interlock_runtime.database import Database
from sqlalchemy import select

from tests.support.signing import SIGNER

pytestmark = pytest.mark.integration

REF = ArtifactRef(sha256="a" * 64, bytes=1)
DATASET = DatasetRef(
    digest="b" * 64,
    train=REF,
    holdout=ArtifactRef(sha256="c" * 64, bytes=1, holdout=True),
    train_rows=8,
    holdout_rows=2,
)


class Registry:
    """The registry's handlers and one model's pipeline."""

    def __init__(self, servers: dict[str, str], mode: str = "automatic") -> None:
        self.model = f"m-{uuid4().hex[:8]}"
        self.database = Database(servers["INTERLOCK_POSTGRES_URL"], f"registry-{self.model}")
        columns = {"x": {"type": "number"}, "y": {"type": "number"}}
        self.spec = {
            "name": self.model,
            "task": "regression",
            "target": "y",
            "data": {"columns": columns},
            "promotion": mode,
        }
        self.digest = Pipeline.model_validate(self.spec).digest

    async def keep_spec(self) -> None:
        async with self.database.sessions() as session, session.begin():
            row = SpecRow(pipeline=self.model, digest=self.digest, spec=self.spec, ref=REF.model_dump(mode="json"))
            await store.keep_spec(session, row)

    async def deliver(self, event: Event) -> None:
        cause = Envelope.of(event, source="test", cause=str(uuid4()), now=datetime.now(UTC))
        async with self.database.sessions() as session, session.begin():
            match event:
                case TrainingCompleted():
                    await handlers.register_version(event, cause, session)
                case EvaluationPassed():
                    await handlers.promote_passed(event, cause, session, SIGNER)
                case EvaluationFailed():
                    await handlers.record_refusal(event, session)
                case RollbackRequested():
                    await handlers.roll_back(event, cause, session, SIGNER)

    async def train(self, run_id: UUID | None = None) -> UUID:
        run = run_id or uuid4()
        await self.deliver(
            TrainingCompleted(
                run_id=run,
                model=self.model,
                attempt=1,
                pipeline_digest=self.digest,
                manifest=REF,
                artifact=REF,
                datasets=[DATASET],
            )
        )
        return run

    def passed(self, version: int, against: int | None) -> EvaluationPassed:
        return EvaluationPassed(
            model=self.model, version=version, run_id=uuid4(), against=against, report=REF, reasons=["good"]
        )

    async def stages(self) -> dict[int, str]:
        async with self.database.sessions() as session:
            return {row.version: row.stage for row in await lists.versions(session, self.model, lists.VersionFilter())}

    async def champion(self) -> tuple[int | None, int]:
        async with self.database.sessions() as session:
            row = await session.get_one(ModelRow, self.model)
            return row.champion, row.promotion_seq

    async def archive(self, *, archived: bool = True) -> None:
        async with self.database.sessions() as session, session.begin():
            row = await store.lock_model(session, self.model)
            row.archived_at = datetime.now(UTC) if archived else None

    async def published(self) -> list[str]:
        async with self.database.sessions() as session:
            return list(await session.scalars(select(OutboxRow.type).order_by(OutboxRow.seq)))

    async def serve(self, versions: int) -> None:
        for version in range(1, versions + 1):
            await self.train()
            await self.deliver(self.passed(version, version - 1 or None))


@pytest.fixture(params=["automatic"])
async def registry(request: pytest.FixtureRequest, servers: dict[str, str]) -> AsyncIterator[Registry]:
    made = Registry(servers, request.param)
    async with made.database.ready("interlock_messaging", "interlock_registry"):
        await made.keep_spec()
        yield made


by_approval: pytest.MarkDecorator = pytest.mark.parametrize("registry", ["approval"], indirect=True)


async def test_the_gate_is_told_of_both_models_and_of_what_they_were_trained_on(registry: Registry) -> None:
    """By their manifests."""
    await registry.serve(1)
    await registry.train()
    async with registry.database.sessions() as session:
        asked = select(OutboxRow).where(OutboxRow.type == ModelRegistered.type).order_by(OutboxRow.seq)
        first, second = [
            ModelRegistered.model_validate(Envelope.parse(row.headers, row.payload, None)[1])
            for row in await session.scalars(asked)
        ]

    assert first.champion is None
    assert second.champion is not None
    assert (second.champion.version, second.champion.manifest) == (1, first.manifest)


async def test_a_passed_version_becomes_the_champion_and_the_old_one_retires(registry: Registry) -> None:
    """One row says who serves; the sequence counts up with every change."""
    await registry.serve(2)

    assert await registry.stages() == {1: "retired", 2: "champion"}
    assert await registry.champion() == (2, 2)
    assert await registry.published() == [
        "model.registered",
        "model.promoted",
        "model.registered",
        "model.promoted",
        "model.retired",
    ]


async def test_a_version_of_an_archived_model_is_not_promoted(registry: Registry) -> None:
    """It is kept with its verdict, and a person decides once the model is back; what serves cannot change either."""
    await registry.serve(2)
    await registry.archive()
    await registry.train()
    await registry.deliver(registry.passed(3, 2))
    assert await registry.stages() == {1: "retired", 2: "champion", 3: "passed"}
    with pytest.raises(PoisonError, match="is archived; bring it back first"):
        await registry.deliver(RollbackRequested(model=registry.model))
    async with registry.database.sessions() as session:
        with pytest.raises(ValueError, match="is archived; bring it back first"):
            await promotion.approve(session, registry.model, 3, by="ada", cause="c", signer=SIGNER)

    await registry.archive(archived=False)
    async with registry.database.sessions() as session, session.begin():
        await promotion.approve(session, registry.model, 3, by="ada", cause="c", signer=SIGNER)
    assert await registry.champion() == (3, 3)


async def test_a_run_is_registered_once(registry: Registry) -> None:
    """Even where two different events tell of the same run."""
    run = await registry.train()
    await registry.train(run)

    assert await registry.stages() == {1: "registered"}


async def test_versions_count_up_without_gaps_when_trainings_end_together(registry: Registry) -> None:
    """The model's row is locked while a number is taken."""
    await asyncio.gather(*(registry.train() for _ in range(8)))

    assert sorted(await registry.stages()) == list(range(1, 9))


async def test_a_verdict_against_another_champion_is_asked_for_again(registry: Registry) -> None:
    """Between question and answer somebody else was promoted: the answer proves nothing any more."""
    await registry.train()
    await registry.train()
    await registry.deliver(registry.passed(2, None))
    await registry.deliver(registry.passed(1, None))

    assert await registry.champion() == (2, 1)
    assert await registry.stages() == {1: "passed", 2: "champion"}
    assert (await registry.published())[-1] == "model.registered"
    await registry.deliver(registry.passed(1, 2))
    assert await registry.champion() == (1, 2)


async def test_verdicts_that_come_together_promote_one_after_the_other(registry: Registry) -> None:
    """However they race, there is one champion, and each promotion has a number of its own."""
    for _ in range(4):
        await registry.train()
    await asyncio.gather(*(registry.deliver(registry.passed(version, None)) for version in range(1, 5)))

    assert (await registry.champion())[1] == 1
    assert list((await registry.stages()).values()).count("champion") == 1


async def test_a_repeated_verdict_changes_nothing(registry: Registry) -> None:
    """A version that has served is not promoted again by an old verdict."""
    await registry.serve(2)
    await registry.deliver(registry.passed(1, 2))

    assert await registry.champion() == (2, 2)


async def test_a_refused_version_keeps_its_reasons_and_metrics(registry: Registry) -> None:
    """Whoever asks why it does not serve finds the gate's words, and its place among the others."""
    await registry.train()
    refusal = EvaluationFailed(
        model=registry.model,
        version=1,
        run_id=uuid4(),
        against=7,
        report=REF,
        reasons=["r2 is too low"],
        metrics={"r2": 0.1},
        champion_metrics={"r2": 0.3},
    )
    await registry.deliver(refusal)

    async with registry.database.sessions() as session:
        row = await session.get_one(VersionRow, (registry.model, 1))
    assert (row.stage, row.reasons, row.metrics) == ("refused", ["r2 is too low"], {"r2": 0.1})
    assert row.champion_metrics == {"r2": 0.3}


async def test_a_rollback_is_a_promotion_with_a_higher_number(registry: Registry) -> None:
    """Nobody ever goes back to a lower sequence, so no gateway can confuse old with new."""
    await registry.serve(3)
    await registry.deliver(RollbackRequested(model=registry.model))
    assert await registry.champion() == (2, 4)
    await registry.deliver(RollbackRequested(model=registry.model, version=1))
    assert await registry.champion() == (1, 5)


async def test_a_rollback_never_lets_in_what_the_gate_has_not(registry: Registry) -> None:
    """Only a version that has served can serve again."""
    await registry.serve(1)
    await registry.train()

    with pytest.raises(PoisonError, match="never served"):
        await registry.deliver(RollbackRequested(model=registry.model, version=2))


@by_approval
async def test_nothing_is_promoted_before_somebody_approves(registry: Registry) -> None:
    """The gate's yes is necessary and not enough."""
    await registry.train()
    await registry.deliver(registry.passed(1, None))
    assert await registry.champion() == (None, 0)

    async with registry.database.sessions() as session, session.begin():
        await promotion.approve(session, registry.model, 1, by="ada", cause=str(uuid4()), signer=SIGNER)

    assert await registry.champion() == (1, 1)
    assert "promotion.approved" in await registry.published()


async def test_what_could_not_be_compared_with_the_champion_waits_for_a_person(registry: Registry) -> None:
    """Also where the pipeline promotes by itself: nothing is proven."""
    await registry.serve(1)
    await registry.train()
    await registry.deliver(registry.passed(2, 1).model_copy(update={"needs_approval": True}))
    assert await registry.champion() == (1, 1)

    async with registry.database.sessions() as session, session.begin():
        await promotion.approve(session, registry.model, 2, by="ada", cause=str(uuid4()), signer=SIGNER)

    assert await registry.champion() == (2, 2)


@by_approval
async def test_an_approval_cannot_stand_in_for_the_gate(registry: Registry) -> None:
    """A version that was not let through cannot be approved by anyone."""
    await registry.train()
    async with registry.database.sessions() as session, session.begin():
        with pytest.raises(ValueError, match="only a version that passed the gate"):
            await promotion.approve(session, registry.model, 1, by="ada", cause=str(uuid4()), signer=SIGNER)
