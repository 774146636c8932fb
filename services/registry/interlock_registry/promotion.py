"""Promotion, approval and rollback: the only code that changes the champion."""

import logging

from interlock_artifacts.signing import SignatureVerifier, Signer, UntrustedPromotionError
from interlock_contracts import telemetry
from interlock_contracts.models import ChampionRef, ModelPromoted, ModelRegistered, ModelRetired, PromotionApproved
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, ModelRef
from interlock_contracts.signature import PromotionCause, PromotionSignature, PromotionStatement
from interlock_contracts.stages import PRODUCTION
from interlock_messaging import enqueue
from interlock_messaging.crash_points import crash_point
from interlock_messaging.outbox import current_traceparent
from interlock_runtime.limits import INT32_MAX
from opentelemetry import trace
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_registry import audit, ledger, store
from interlock_registry.domain import Step, after_passing, rollback_target, state_of_promoted
from interlock_registry.store import ModelRow, PromotionRow, VersionRow

SERVICE = "registry"

logger = logging.getLogger(__name__)
_tracer = trace.get_tracer("interlock.registry")

_AUDIT_ACTIONS: dict[PromotionCause, str] = {
    "gate": "version.promoted",
    "approval": "version.approved",
    "rollback": "version.rolled_back",
}
"""What the audit log calls a promotion."""


async def spec_of(session: AsyncSession, version: VersionRow) -> Pipeline:
    """Return the pipeline that a version was trained under.

    Raises:
        LookupError: the spec is not stored.
    """
    row = await store.spec_of(session, version.model, version.pipeline_digest)
    if row is None:
        raise LookupError(f"pipeline {version.model!r} has no spec {version.pipeline_digest}")
    return Pipeline.model_validate(row.spec)


async def request_evaluation(session: AsyncSession, model: ModelRow, version: VersionRow, cause: str) -> None:
    """Enqueue ``model.registered``: measure ``version`` against this moment's champion of the stage it is bound for."""
    stage = version.bound_for or PRODUCTION
    against = (await store.champions(session, model.name)).get(stage)
    champion = await session.get(VersionRow, (model.name, against)) if against else None
    spec = await store.spec_of(session, model.name, version.pipeline_digest)
    if spec is None:
        raise LookupError(f"pipeline {model.name!r} has no spec {version.pipeline_digest}")
    event = ModelRegistered(
        model=model.name,
        version=version.version,
        run_id=version.run_id,
        artifact=ArtifactRef.model_validate(version.artifact),
        manifest=ArtifactRef.model_validate(version.manifest),
        pipeline_digest=version.pipeline_digest,
        spec=ArtifactRef.model_validate(spec.ref),
        holdouts=[dataset.holdout for dataset in version.judged_on],
        evaluation=version.evaluation["digest"] if version.evaluation else None,
        champion=ChampionRef.model_validate(champion, from_attributes=True) if champion else None,
        claim=await ledger.make_claim(session, model, version, Pipeline.model_validate(spec.spec), champion=against),
        stage=stage,
    )
    await enqueue(session, event, source=SERVICE, cause=cause, n=version.evaluation_requests - 1)


@_tracer.start_as_current_span(telemetry.SPAN_PROMOTE)
async def promote(
    session: AsyncSession,
    model: ModelRow,
    version: VersionRow,
    *,
    how: PromotionCause,
    cause: str,
    signer: Signer,
    stage: str = PRODUCTION,
    by: str | None = None,
    reason: str | None = None,
) -> ModelPromoted:
    """Make ``version`` the champion of ``stage``, and sign for it; ``model`` must be locked.

    ``by`` and ``reason`` are for the audit log.

    The state of the old champion is written first: the database allows one champion a model at any moment.
    """
    trace.get_current_span().set_attributes(
        {
            telemetry.PIPELINE: model.name,
            telemetry.RUN_ID: str(version.run_id),
            telemetry.MODEL: model.name,
            telemetry.VERSION: version.version,
            telemetry.PROMOTION_SEQ: model.promotion_seq + 1,
            telemetry.TASK: telemetry.SPAN_PROMOTE,
            telemetry.TASK_RUN: f"{version.run_id}/{telemetry.SPAN_PROMOTE}/{model.promotion_seq + 1}",
            telemetry.TASK_RESULT: "success",
        }
    )
    previous = (await store.champions(session, model.name)).get(stage)
    model.promotion_seq += 1
    if stage == PRODUCTION:
        model.champion = version.version
    if version.bound_for == stage:
        version.bound_for = None
    event = ModelPromoted(
        **ref_of(version).model_dump(),
        promotion_seq=model.promotion_seq,
        cause=how,
        run_id=version.run_id if how != "rollback" else None,
        promotion=current_traceparent(),
        signed=signer.sign(_statement(version, model.promotion_seq, how, stage)),
        stage=stage,
    )
    session.add(
        PromotionRow(
            model=model.name,
            seq=model.promotion_seq,
            version=version.version,
            cause=how,
            by=by,
            traceparent=event.promotion,
            signed=event.model_dump(mode="json")["signed"],
            stage=stage,
        )
    )
    await session.flush()
    if previous is not None:
        await restate(session, await session.get_one(VersionRow, (model.name, previous)))
    await restate(session, version)
    about = {"promotion_seq": event.promotion_seq, "instead_of": previous, "reason": reason}
    if stage != PRODUCTION:
        about["stage"] = stage
    audit.record(session, by or audit.GATE, _AUDIT_ACTIONS[how], f"model/{model.name}/{version.version}", **about)
    await enqueue(session, event, source=SERVICE, cause=cause)
    if previous is not None:
        retirement = ModelRetired(model=model.name, version=previous, replaced_by=version.version, stage=stage)
        await enqueue(session, retirement, source=SERVICE, cause=cause)
    crash_point("registry.promote.before_commit")
    return event


async def restate(session: AsyncSession, version: VersionRow) -> None:
    """Write the state of a version that has been promoted: it follows from where it serves now, and waits to."""
    champions = await store.champions(session, version.model)
    state = state_of_promoted([stage for stage, number in champions.items() if number == version.version])
    version.stage = "passed" if state == "retired" and version.bound_for is not None else state
    await session.flush()


def ref_of(version: VersionRow) -> ModelRef:
    """Return what is needed to load a version."""
    return ModelRef(
        model=version.model,
        version=version.version,
        artifact=ArtifactRef.model_validate(version.artifact),
        manifest=ArtifactRef.model_validate(version.manifest),
    )


def _statement(version: VersionRow, seq: int, how: PromotionCause, stage: str) -> PromotionStatement:
    return PromotionStatement(
        model=version.model,
        version=version.version,
        artifact=version.artifact["sha256"],
        manifest=version.manifest["sha256"],
        datasets=[dataset["digest"] for dataset in version.datasets],
        metrics=version.metrics or {},
        report=version.report["sha256"] if version.report else None,
        promotion_seq=seq,
        cause=how,
        stage=stage,
    )


async def re_sign_champions(session: AsyncSession, signer: Signer, trust: SignatureVerifier) -> None:
    """Sign what serves and is signed by another key that still counts; without any signature at all, sign everything.

    So a new key takes over at the registry's start, and an installation from before there were signatures gets them
    once. Later on a promotion without a signature, or with a wrong one, stays without: the registry made none such.
    """
    first = not await store.any_is_signed(session)
    for promoted, version in await store.serving(session, stage=None):
        promotion = f"promotion {promoted.seq} of {promoted.model}"
        if promoted.signed is None and not first:
            logger.error("%s is not signed, so no worker will load it: the registry has not made it", promotion)
            continue
        if promoted.signed is not None:
            signed = PromotionSignature.model_validate(promoted.signed)
            if signed.key_id == signer.key_id:
                continue
            try:
                trust.check(ref_of(version), promoted.seq, signed, stage=promoted.stage)
            except UntrustedPromotionError as error:
                logger.error("%s is not signed anew: %s", promotion, error)  # noqa: TRY400 - the error says all
                continue
        how: PromotionCause = promoted.cause  # type: ignore[assignment]
        statement = _statement(version, promoted.seq, how, promoted.stage)
        promoted.signed = signer.sign(statement).model_dump(mode="json")
        logger.warning("%s is signed now, by key %s", promotion, signer.key_id)


async def approve(session: AsyncSession, name: str, number: int, *, by: str, cause: str, signer: Signer) -> Step:
    """Promote a version that waits for a person, or ask the gate again where its verdict is out of date.

    Raises:
        NoResultFound: there is no such version.
        ValueError: the version does not wait for an approval; the text says what it is.
    """
    model = await store.lock_model(session, name)
    version = await session.get_one(VersionRow, (name, number))
    if (deleted := store.deletion_of(version)) is not None:
        raise ValueError(deleted)
    if model.archived_at is not None:
        raise ValueError(f"model {name!r} is archived; bring it back first")
    if version.stage != "passed":
        raise ValueError(f"version {number} is {version.stage}; only a version that passed the gate can be approved")
    if (stage := version.bound_for) is None:
        raise ValueError(f"version {number} waits for no approval; promote it to a further stage first")
    if version.passed_for != stage:
        raise ValueError(f"version {number} is being measured for {stage}; approve it once there is a verdict")
    champion = (await store.champions(session, name)).get(stage)
    spec = await spec_of(session, version)
    step = after_passing(
        version.stage,
        measured_against=version.against,
        champion=champion,
        promotion=spec.promotion,
        approved=True,
    )
    if step is Step.REQUEST_AGAIN:
        version.evaluation_requests += 1
        audit.record(session, by, "version.approval_postponed", f"model/{name}/{number}", against=champion)
        await request_evaluation(session, model, version, cause)
        return step
    await enqueue(
        session, PromotionApproved(model=name, version=number, by=by, stage=stage), source=SERVICE, cause=cause
    )
    await promote(session, model, version, how="approval", cause=cause, signer=signer, stage=stage, by=by)
    crash_point("registry.approve.before_commit")
    return step


async def roll_back(
    session: AsyncSession,
    name: str,
    number: int | None,
    *,
    by: str,
    cause: str,
    signer: Signer,
    stage: str = PRODUCTION,
    reason: str | None = None,
) -> ModelPromoted:
    """Promote the version that served in ``stage`` before, or the one named.

    Raises:
        ValueError: there is nothing to go back to, the version has never served there, or the model is archived.
    """
    model = await store.lock_model(session, name)
    if model.archived_at is not None:
        raise ValueError(f"model {name!r} is archived; bring it back first")
    champion = (await store.champions(session, name)).get(stage)
    previous = await store.previous_champion(session, name, stage, champion)
    where = "" if stage == PRODUCTION else f" in {stage}"
    target = rollback_target(number, champion=champion, previous=previous, where=where)
    if target > INT32_MAX or not await store.has_served(session, name, target, stage):
        raise ValueError(f"version {target} has never served{where}; only the gate lets a version in")
    version = await session.get_one(VersionRow, (name, target))
    if (deleted := store.deletion_of(version)) is not None:
        raise ValueError(deleted)
    event = await promote(
        session, model, version, how="rollback", cause=cause, signer=signer, stage=stage, by=by, reason=reason
    )
    crash_point("registry.rollback.before_commit")
    return event
