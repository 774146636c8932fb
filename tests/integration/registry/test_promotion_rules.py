"""Who may promote: the registry signs what it promotes itself, and its database refuses what it would never do."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from interlock_artifacts.signing import SignatureVerifier, Signer
from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.signature import PromotionSignature
from interlock_messaging import PoisonError
from interlock_registry import promotion, store
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from tests.integration.registry.test_promotion import DATASET, REF, Registry
from tests.support.signing import PRIVATE, PUBLIC, SIGNER, STRANGER, TRUST, key_pair

pytestmark = pytest.mark.integration


@pytest.fixture
async def registry(servers: dict[str, str]) -> AsyncIterator[Registry]:
    """Return a registry in which versions 1 and 2 have served, 3 waits for the gate, and 4 was refused."""
    made = Registry(servers)
    async with made.database.ready("interlock_messaging", "interlock_registry"):
        await made.keep_spec()
        await made.serve(2)
        await made.train()
        await made.train()
        refused = EvaluationFailed(
            model=made.model, version=4, run_id=uuid4(), against=2, report=REF, reasons=["r2 is too low"]
        )
        await made.deliver(refused)
        yield made


async def sql(registry: Registry, statement: str) -> None:
    """Do what somebody could do who has the registry's own rights in the database."""
    async with registry.database.sessions() as session, session.begin():
        await session.execute(text(statement), {"model": registry.model})


async def signatures(registry: Registry) -> list[PromotionSignature | None]:
    """Return the signatures of all promotions, in order."""
    async with registry.database.sessions() as session:
        found = await session.scalars(select(store.PromotionRow).order_by(store.PromotionRow.seq))
        return [PromotionSignature.model_validate(row.signed) if row.signed else None for row in found]


async def start(registry: Registry, signer: Signer, trust: SignatureVerifier) -> None:
    """Do what a registry does when it starts."""
    async with registry.database.sessions() as session, session.begin():
        await promotion.re_sign_champions(session, signer, trust)


async def test_every_promotion_is_signed_with_what_it_stands_for(registry: Registry) -> None:
    """Bytes, data, the gate's numbers and report, and the number under which it serves."""
    passed = registry.passed(3, 2).model_copy(update={"metrics": {"r2": 0.9}})
    await registry.deliver(passed)
    signed = (await signatures(registry))[-1]
    assert signed is not None
    stated = TRUST.verify(signed)

    assert (stated.model, stated.version, stated.promotion_seq) == (registry.model, 3, 3)
    assert (stated.artifact, stated.manifest, stated.report) == (REF.sha256, REF.sha256, REF.sha256)
    assert (stated.datasets, stated.metrics, stated.cause) == ([DATASET.digest], {"r2": 0.9}, "gate")
    async with registry.database.sessions() as session:
        ((promoted, version),) = await store.serving(session, registry.model)
    TRUST.check(promotion.ref_of(version), promoted.seq, signed)


BY_HAND = {
    "a refused version": "UPDATE version SET stage = 'champion' WHERE version = 4",
    "a version that the gate has not measured": "UPDATE version SET stage = 'champion' WHERE version = 3",
    "a second champion": "UPDATE version SET stage = 'champion' WHERE version = 1",
    "other bytes under a version's number": 'UPDATE version SET artifact = \'{"sha256": "f", "bytes": 1}\'',
    "a champion without a promotion": "UPDATE model SET champion = 1",
    "a champion without its promotion's row": "UPDATE model SET champion = 1, promotion_seq = 3",
    "a lower number": "UPDATE model SET promotion_seq = 1, champion = 1",
    "a number far ahead": "INSERT INTO promotion (model, seq, version, cause) VALUES (:model, 99, 1, 'gate')",
    "a number that is taken": "INSERT INTO promotion (model, seq, version, cause) VALUES (:model, 2, 1, 'gate')",
    "a version that does not exist": "INSERT INTO promotion (model, seq, version, cause) VALUES (:model, 3, 9, 'gate')",
    "a cause that there is not": "INSERT INTO promotion (model, seq, version, cause) VALUES (:model, 3, 1, 'me')",
    "a deletion of what serves": "UPDATE version SET deleted_at = now() WHERE version = 2",
    "a deletion of what is measured": "UPDATE version SET deleted_at = now() WHERE version = 3",
    "another history": "UPDATE promotion SET version = 2 WHERE seq = 1",
    "no history": "DELETE FROM promotion",
}


@pytest.mark.parametrize("statement", BY_HAND.values(), ids=BY_HAND)
async def test_the_database_refuses_what_the_registry_would_never_do(registry: Registry, statement: str) -> None:
    """A slip by hand, or a fault in our own code, does not become what serves."""
    before = await registry.champion(), await registry.stages()
    with pytest.raises(DBAPIError) as refused:
        await sql(registry, statement)

    assert str(getattr(refused.value.orig, "sqlstate", "")).startswith("23"), "by a constraint, not by a slip of ours"
    assert (await registry.champion(), await registry.stages()) == before


@pytest.mark.parametrize("change", ["deleted_at = NULL", "stage = 'retired'", "deleted_by = 'nobody'"])
async def test_the_database_keeps_what_is_deleted_as_it_was(registry: Registry, change: str) -> None:
    """Neither brought back nor on its way to serve, and who deleted it stays known."""
    await sql(registry, "UPDATE version SET deleted_at = now(), deleted_by = 'ada' WHERE version = 4")
    with pytest.raises(DBAPIError, match="is deleted, or cannot be"):
        await sql(registry, f"UPDATE version SET {change} WHERE version = 4")


async def test_a_promotion_made_by_hand_has_no_signature_and_gets_none(registry: Registry) -> None:
    """Whoever may write the registry's tables and keeps all their rules still lacks its key, also after a restart."""
    await sql(
        registry,
        "WITH old AS (UPDATE version SET stage = 'retired' WHERE version = 2),"
        " new AS (INSERT INTO promotion (model, seq, version, cause) VALUES (:model, 3, 1, 'gate'))"
        " UPDATE model SET champion = 1, promotion_seq = 3 WHERE name = :model",
    )
    await start(registry, SIGNER, TRUST)

    assert await registry.champion() == (1, 3)
    assert (await signatures(registry))[-1] is None


async def test_what_served_before_there_were_signatures_is_signed_at_the_first_start(registry: Registry) -> None:
    """An upgrade needs no hand: what serves is signed once, and gateways find it at their next look."""
    await sql(registry, "UPDATE promotion SET signed = NULL")
    await start(registry, SIGNER, TRUST)
    first, second = await signatures(registry)

    assert first is None, "what served long ago is loaded by nobody"
    assert second is not None
    assert TRUST.verify(second).promotion_seq == 2


async def test_a_new_key_signs_at_its_start_what_the_old_one_had_signed(registry: Registry) -> None:
    """And nothing else: a signature by another key, or of something else, is not made good."""
    private, public = key_pair(b"\3" * 32)
    new, both = Signer(private), SignatureVerifier(PUBLIC + public)
    await start(registry, new, both)
    signed = (await signatures(registry))[-1]
    assert signed is not None
    assert signed.key_id == new.key_id
    assert SignatureVerifier(public).verify(signed).version == 2

    await start(registry, Signer(PRIVATE), SignatureVerifier(PUBLIC))
    assert (await signatures(registry))[-1] == signed, "the old registry does not know the new key"
    await start(registry, STRANGER, TRUST)
    assert (await signatures(registry))[-1] == signed


@pytest.mark.parametrize("version", [7, 99])
async def test_a_verdict_on_a_version_that_there_is_not_is_no_use(registry: Registry, version: int) -> None:
    """The gate was never asked about it."""
    with pytest.raises(PoisonError, match=f"has no version {version}"):
        await registry.deliver(registry.passed(version, 2))


@pytest.mark.parametrize("against", [None, 1, 3, 99])
async def test_a_verdict_against_another_champion_promotes_nothing(registry: Registry, against: int | None) -> None:
    """Whatever it claims to have been measured against: the gate is asked again, with the champion that serves."""
    await registry.deliver(registry.passed(3, against))

    assert await registry.champion() == (2, 2)
    assert (await registry.published())[-1] == "model.registered"


@pytest.mark.parametrize("verdict", [EvaluationPassed, EvaluationFailed])
async def test_no_later_verdict_changes_what_was_decided(
    registry: Registry, verdict: type[EvaluationPassed | EvaluationFailed]
) -> None:
    """Replayed, late or forged: a refused version stays out, and what serves is not taken down by it."""
    for version in (2, 4):
        published = registry.passed(version, 2).model_dump()
        await registry.deliver(verdict(**published))

    assert await registry.champion() == (2, 2)
    assert await registry.stages() == {1: "retired", 2: "champion", 3: "registered", 4: "refused"}


@pytest.mark.parametrize(("version", "told"), [(1, "retired"), (2, "champion"), (3, "registered"), (4, "refused")])
async def test_an_approval_lets_in_only_what_the_gate_has_let_through(
    registry: Registry, version: int, told: str
) -> None:
    """A person decides after the gate, never instead of it."""
    async with registry.database.sessions() as session:
        with pytest.raises(ValueError, match=f"version {version} is {told}"):
            await promotion.approve(session, registry.model, version, by="ada", cause="c", signer=SIGNER)


@pytest.mark.parametrize("version", [3, 4, 99])
async def test_a_rollback_goes_back_only_to_what_has_served(registry: Registry, version: int) -> None:
    """Not to what the gate has refused, has not measured, or what there is not."""
    async with registry.database.sessions() as session:
        with pytest.raises(ValueError, match="has never served"):
            await promotion.roll_back(session, registry.model, version, by="ada", cause="c", signer=SIGNER)
