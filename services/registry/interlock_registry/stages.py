"""The way of a version through the deployment stages of its pipeline, in the order declared."""

from collections.abc import Sequence
from uuid import uuid4

from interlock_artifacts.signing import Signer
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.rollout import PromoteView
from interlock_contracts.stages import PRODUCTION, stage_before
from interlock_messaging.crash_points import crash_point
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_registry import audit, promotion, store
from interlock_registry.domain import Step, after_passing
from interlock_registry.store import ChampionRow, ModelRow, VersionRow


async def declared(session: AsyncSession, name: str) -> list[str]:
    """Return the stages of a pipeline, in order, by its newest spec; production alone where none is applied."""
    found = await store.pipelines(session, name)
    return Pipeline.model_validate(found[0][1].spec).stages if found else [PRODUCTION]


async def advance(
    session: AsyncSession, name: str, number: int, stage: str, *, by: str, cause: str, signer: Signer
) -> PromoteView:
    """Promote a version to ``stage``, one of the pipeline's, from the stage before it.

    The gate measures it against the champion of ``stage``, unless its newest verdict is against that very version: it
    counts there, too. A person then approves it where the pipeline says so.

    Raises:
        NoResultFound: there is no such version.
        ValueError: it cannot be promoted there; the text says why.
    """
    model = await store.lock_model(session, name)
    version = await session.get_one(VersionRow, (name, number))
    await _require_next(session, model, version, stage)
    champion = (await store.champions(session, name)).get(stage)
    spec = await promotion.spec_of(session, version)
    last = await store.last_promotion_of(session, name, number)
    # What a person has answered for, in place of a comparison, counts for the stage that it was said of alone.
    decided = last is not None and (last.cause == "gate" or spec.promotion == "approval")
    step = Step.REQUEST_AGAIN
    if version.passed_for is not None and decided:
        step = after_passing("passed", measured_against=version.against, champion=champion, promotion=spec.promotion)
    version.stage, version.bound_for = "passed", stage
    audit.record(session, by, "version.promotion_requested", f"model/{name}/{number}", stage=stage)
    view = PromoteView(model=name, version=number, stage=stage, state="waits")
    if step is Step.REQUEST_AGAIN:
        version.passed_for = None
        version.evaluation_requests += 1
        await promotion.request_evaluation(session, model, version, cause)
        view.state = "measured"
    else:
        version.passed_for = stage
        if step is Step.PROMOTE:
            event = await promotion.promote(
                session, model, version, how="gate", cause=cause, signer=signer, stage=stage
            )
            view.state, view.promotion_seq = "promoted", event.promotion_seq
    crash_point("registry.advance.before_commit")
    return view


async def _require_next(session: AsyncSession, model: ModelRow, version: VersionRow, stage: str) -> None:
    """Raise a ValueError unless ``stage`` is the next that the version may go to, and nothing is in the way."""
    number = version.version
    if (deleted := store.deletion_of(version)) is not None:
        raise ValueError(deleted)
    if model.archived_at is not None:
        raise ValueError(f"model {model.name!r} is archived; bring it back first")
    if (await store.champions(session, model.name)).get(stage) == number:
        raise ValueError(f"version {number} serves in {stage} already")
    stages = await declared(session, model.name)
    before = stage_before(stages, stage)
    if before is None:
        why = "which the gate lets versions into as they are trained"
        raise ValueError(f"{stage} is the first stage, {why}; to serve an earlier one there again, roll back")
    if not await store.has_served(session, model.name, number, before):
        raise ValueError(f"version {number} has never served in {before}, from where versions are promoted to {stage}")
    if version.stage == "champion":
        raise ValueError(f"version {number} serves in production; to serve it in {stage} again, roll back there")
    if version.bound_for is not None and version.stage == "passed":
        does = "waits for an approval" if version.passed_for == version.bound_for else "is being measured by the gate"
        raise ValueError(f"version {number} {does} for {version.bound_for} already")


async def drop_undeclared(session: AsyncSession, name: str, stages: Sequence[str]) -> None:
    """Let nothing serve, or wait, in stages of a model that its pipeline does not declare; most often there are none.

    Versions that have served nowhere are judged anew, for the first stage that there is.
    """
    gone = ChampionRow.model == name, ChampionRow.stage.not_in(stages), ~ChampionRow.dropped
    waits = (
        VersionRow.model == name,
        VersionRow.bound_for.not_in(stages),
        VersionRow.stage.in_(("registered", "passed")),
    )
    champions = (await session.scalars(select(ChampionRow.version).where(*gone))).all()
    waiting = (await session.scalars(select(VersionRow).where(*waits, VersionRow.deleted_at.is_(None)))).all()
    if not champions and not waiting:
        return
    model = await store.lock_model(session, name)
    await session.execute(update(ChampionRow).where(*gone).values(dropped=True))
    for version in waiting:
        version.bound_for = None
        if not await store.has_served(session, name, version.version):
            version.bound_for, version.passed_for = stages[0], None
            version.evaluation_requests += 1
            await promotion.request_evaluation(session, model, version, str(uuid4()))
    for number in {*champions, *(each.version for each in waiting if each.bound_for is None)}:
        await promotion.restate(session, await session.get_one(VersionRow, (name, number)))
