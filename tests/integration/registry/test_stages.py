"""The way of a version through deployment stages: on a real database, handler by handler."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from interlock_artifacts.signing import UntrustedPromotionError
from interlock_contracts.evaluation import EvaluationFailed
from interlock_contracts.event import Envelope
from interlock_contracts.ledger import Claim
from interlock_contracts.models import ModelPromoted, ModelRegistered, RollbackRequested
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.rollout import PromoteView
from interlock_messaging.tables import OutboxRow
from interlock_registry import ledger, promotion, stages, store
from interlock_registry.domain import obstacle_to_deletion
from interlock_registry.store import ModelRow, PromotionRow, VersionRow
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from tests.integration.registry.test_promotion import REF, Registry
from tests.support.signing import SIGNER, TRUST

pytestmark = pytest.mark.integration


class Staged(Registry):
    """A registry whose pipeline has a stage before production."""

    def __init__(self, servers: dict[str, str], mode: str) -> None:
        super().__init__(servers, mode)
        self.declare(["staging", "production"])

    def declare(self, names: list[str]) -> None:
        self.spec["stages"] = names
        self.digest = Pipeline.model_validate(self.spec).digest

    async def promote(self, version: int, to: str = "production") -> PromoteView:
        async with self.database.sessions() as session, session.begin():
            return await stages.advance(session, self.model, version, to, by="ada", cause=str(uuid4()), signer=SIGNER)

    async def approve(self, version: int) -> None:
        async with self.database.sessions() as session, session.begin():
            await promotion.approve(session, self.model, version, by="ada", cause=str(uuid4()), signer=SIGNER)

    async def drop(self, names: list[str]) -> None:
        self.declare(names)
        await self.keep_spec()
        async with self.database.sessions() as session, session.begin():
            await stages.drop_undeclared(session, self.model, names)

    async def champions(self) -> dict[str, int]:
        async with self.database.sessions() as session:
            return await store.champions(session, self.model)

    async def sent(self, kind: type[ModelPromoted] | type[ModelRegistered]) -> list[ModelPromoted | ModelRegistered]:
        async with self.database.sessions() as session:
            rows = await session.scalars(select(OutboxRow).where(OutboxRow.type == kind.type).order_by(OutboxRow.seq))
            return [kind.model_validate(Envelope.parse(row.headers, row.payload, None)[1]) for row in rows]

    async def claims(self) -> list[tuple[int, str]]:
        async with self.database.sessions() as session:
            return [(row.against, row.outcome) for row in await ledger.claims_of(session, self.model, 1)]

    def refused(self, version: int, against: int) -> EvaluationFailed:
        return EvaluationFailed(
            model=self.model, version=version, run_id=uuid4(), against=against, report=REF, reasons=["worse"]
        )


@pytest.fixture(params=["automatic"])
async def registry(request: pytest.FixtureRequest, servers: dict[str, str]) -> AsyncIterator[Staged]:
    made = Staged(servers, request.param)
    async with made.database.ready("interlock_messaging", "interlock_registry"):
        await made.keep_spec()
        yield made


INSERTED = """INSERT INTO version (model, version, stage, run_id, pipeline_digest, artifact, manifest, datasets)
SELECT model, 2, 'registered', gen_random_uuid(), pipeline_digest, artifact, manifest, datasets FROM version"""

by_approval: pytest.MarkDecorator = pytest.mark.parametrize("registry", ["approval"], indirect=True)


async def in_both(registry: Staged) -> None:
    """Let version 1 serve in both stages, and version 2 in staging."""
    await registry.serve(1)
    await registry.promote(1)
    await registry.train()
    await registry.deliver(registry.passed(2, 1))


async def test_a_version_serves_in_the_first_stage_and_goes_on_to_the_next_by_request(registry: Staged) -> None:
    """Numbers count up over all stages, and the last stage is what the release before reads as the champion."""
    await registry.serve(1)
    assert await registry.champions() == {"staging": 1}
    assert await registry.stages() == {1: "passed"}
    assert await registry.champion() == (None, 1)

    assert (await registry.promote(1)).state == "promoted"

    assert await registry.champions() == {"staging": 1, "production": 1}
    assert await registry.stages() == {1: "champion"}
    assert await registry.champion() == (1, 2)
    first, second = await registry.sent(ModelPromoted)
    assert isinstance(first, ModelPromoted)
    assert isinstance(second, ModelPromoted)
    assert [(each.stage, each.promotion_seq) for each in (first, second)] == [("staging", 1), ("production", 2)]


async def test_a_comparison_with_that_very_champion_counts_for_the_next_stage(registry: Staged) -> None:
    """So no claim is spent twice."""
    await in_both(registry)
    assert await registry.stages() == {1: "champion", 2: "passed"}
    assert (await registry.promote(2)).state == "promoted"

    assert await registry.stages() == {1: "retired", 2: "champion"}
    assert await registry.claims() == [(1, "promoted")]


async def test_against_another_champion_the_gate_is_asked_with_a_claim_of_its_own(registry: Staged) -> None:
    """And the version goes on serving in staging, whatever the verdict is."""
    await in_both(registry)
    await registry.train()
    await registry.deliver(registry.passed(3, 2))

    assert (await registry.promote(3)).state == "measured"
    *_, asked = await registry.sent(ModelRegistered)
    assert isinstance(asked, ModelRegistered)
    assert asked.champion is not None
    assert (asked.stage, asked.champion.version) == ("production", 1)
    assert isinstance(asked.claim, Claim)
    with pytest.raises(ValueError, match="is being measured for production"):
        await registry.approve(3)
    with pytest.raises(ValueError, match="is being measured by the gate for production already"):
        await registry.promote(3)

    await registry.deliver(registry.refused(3, 1))
    assert await registry.champions() == {"staging": 3, "production": 1}
    assert (await registry.stages())[3] == "passed"

    assert (await registry.promote(3)).state == "measured", "a refusal is no verdict that counts"
    await registry.deliver(registry.passed(3, 1))
    assert await registry.champions() == {"staging": 3, "production": 3}
    assert await registry.claims() == [(1, "promoted"), (2, "promoted"), (1, "refused"), (1, "promoted")]


async def test_a_verdict_for_another_stage_promotes_nothing(registry: Staged) -> None:
    """As one that comes late."""
    await registry.train()
    await registry.deliver(registry.passed(1, None).model_copy(update={"stage": "production"}))
    assert await registry.champions() == {}

    await registry.deliver(registry.passed(1, None).model_copy(update={"stage": "staging"}))
    assert await registry.champions() == {"staging": 1}


@by_approval
async def test_a_person_approves_each_stage(registry: Staged) -> None:
    """Where the pipeline says so, the request alone promotes nothing."""
    await registry.train()
    await registry.deliver(registry.passed(1, None))
    assert await registry.champions() == {}
    await registry.approve(1)
    assert await registry.champions() == {"staging": 1}
    with pytest.raises(ValueError, match="waits for no approval"):
        await registry.approve(1)

    assert (await registry.promote(1)).state == "waits"
    assert await registry.champions() == {"staging": 1}
    await registry.approve(1)
    assert await registry.champions() == {"staging": 1, "production": 1}


async def test_what_a_person_has_answered_for_in_place_of_a_comparison_counts_there_alone(registry: Staged) -> None:
    """The next stage's gate is asked, and a person again if it cannot compare."""
    await registry.serve(1)
    await registry.promote(1)
    await registry.train()
    await registry.deliver(registry.passed(2, 1).model_copy(update={"needs_approval": True}))
    await registry.approve(2)
    assert await registry.champions() == {"staging": 2, "production": 1}

    assert (await registry.promote(2)).state == "measured"


async def test_no_stage_is_skipped_and_nothing_goes_back_by_promotion(registry: Staged) -> None:
    """The text says what stands in the way."""
    registry.declare(["dev", "staging", "production"])
    await registry.keep_spec()
    await registry.serve(1)
    for stage, why in (("production", "never served in staging"), ("dev", "serves in dev already")):
        with pytest.raises(ValueError, match=why):
            await registry.promote(1, stage)
    await registry.promote(1, "staging")
    await registry.promote(1)
    await registry.train()
    await registry.deliver(registry.passed(2, 1))
    with pytest.raises(ValueError, match="dev is the first stage"):
        await registry.promote(1, "dev")
    await registry.archive()
    with pytest.raises(ValueError, match="archived"):
        await registry.promote(2, "staging")


async def test_each_stage_is_rolled_back_for_itself(registry: Staged) -> None:
    """The other one goes on with what it has, and only what has served there serves there again."""
    await in_both(registry)
    with pytest.raises(Exception, match="never served"):
        await registry.deliver(RollbackRequested(model=registry.model, version=2))

    await registry.deliver(RollbackRequested(model=registry.model, stage="staging"))
    assert await registry.champions() == {"staging": 1, "production": 1}
    assert await registry.stages() == {1: "champion", 2: "retired"}

    assert (await registry.promote(2)).state == "promoted", "it has served in staging"
    await registry.deliver(RollbackRequested(model=registry.model))
    assert await registry.champions() == {"staging": 1, "production": 1}
    assert await registry.champion() == (1, 6)


async def test_a_stage_that_is_declared_no_longer_serves_nothing(registry: Staged) -> None:
    """Also once it is declared again; what was measured for it is measured for the first that is left."""
    await in_both(registry)
    await registry.train()
    await registry.drop(["production"])
    assert await registry.champions() == {"production": 1}
    assert await registry.stages() == {1: "champion", 2: "retired", 3: "registered"}
    asked = (await registry.sent(ModelRegistered))[-1]
    assert (asked.version, asked.stage) == (3, "production")

    await registry.drop(["staging", "production"])
    assert await registry.champions() == {"production": 1}
    await registry.deliver(registry.passed(3, 1))
    assert await registry.champions() == {"production": 3}


async def test_what_serves_in_a_stage_cannot_be_deleted(registry: Staged) -> None:
    """Nor by hand."""
    await in_both(registry)
    assert "serves in staging; roll back" in str(obstacle_to_deletion("passed", ["staging"]))
    for statement in (
        "UPDATE version SET deleted_at = now() WHERE version = 2",
        "UPDATE champion SET version = 1, seq = 1 WHERE stage = 'staging'",
        "UPDATE champion SET seq = 3, version = 2 WHERE stage = 'production'",
        "DELETE FROM champion",
    ):
        with pytest.raises(DBAPIError) as refused:
            async with registry.database.sessions() as session, session.begin():
                await session.execute(text(statement))
        assert str(getattr(refused.value.orig, "sqlstate", "")).startswith("23"), statement


async def test_a_signature_for_staging_is_none_for_production(registry: Staged) -> None:
    """Not even under the same number, nor for who knows of no stages; production's are as they were before."""
    await registry.serve(1)
    await registry.promote(1)
    staged, live = await registry.sent(ModelPromoted)
    assert isinstance(staged, ModelPromoted)
    assert isinstance(live, ModelPromoted)
    assert staged.signed is not None
    assert live.signed is not None
    TRUST.check(staged.ref, staged.promotion_seq, staged.signed, stage="staging")
    TRUST.check(live.ref, live.promotion_seq, live.signed)
    assert "stage" not in live.signed.statement
    assert "payload_type" not in live.signed.model_dump()
    with pytest.raises(UntrustedPromotionError, match="another stage"):
        TRUST.check(staged.ref, staged.promotion_seq, staged.signed)
    with pytest.raises(UntrustedPromotionError, match="another stage"):
        TRUST.check(live.ref, live.promotion_seq, live.signed, stage="staging")
    before = staged.signed.model_dump(exclude={"payload_type"})
    with pytest.raises(UntrustedPromotionError, match="signature is wrong"):
        TRUST.check(staged.ref, staged.promotion_seq, type(staged.signed).model_validate(before))


async def test_the_release_before_promotes_beside_this_one(registry: Staged) -> None:
    """It writes the promotion, the model's champion and the version's state, and knows of no stage."""
    registry.declare(["production"])
    await registry.keep_spec()
    await registry.serve(1)
    async with registry.database.sessions() as session, session.begin():
        for statement in (
            INSERTED,
            f"UPDATE version SET stage = 'passed', against = 1, report = '{REF.model_dump_json()}' WHERE version = 2",
            "UPDATE version SET stage = 'retired' WHERE version = 1",
            "UPDATE version SET stage = 'champion' WHERE version = 2",
            "UPDATE model SET champion = 2, promotion_seq = 2, versions = 2",
            "INSERT INTO promotion (model, seq, version, cause) SELECT name, 2, 2, 'gate' FROM model",
        ):
            await session.execute(text(statement.replace(":", r"\:")))
    assert await registry.champions() == {"production": 2}
    async with registry.database.sessions() as session:
        assert (await session.get_one(PromotionRow, (registry.model, 2))).stage == "production"
        assert (await session.get_one(VersionRow, (registry.model, 2))).bound_for == "production"
        assert (await session.get_one(ModelRow, registry.model)).champion == 2
    await registry.train()
    await registry.deliver(registry.passed(3, 2))
    assert await registry.champions() == {"production": 3}
