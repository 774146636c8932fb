"""Event handlers: register what was trained, promote what passed the gate, keep the audit log."""

import logging
from datetime import UTC, datetime
from typing import Annotated

from faststream import Context
from faststream.rabbit import RabbitRouter
from interlock_artifacts.signing import Signer
from interlock_contracts.datasets import DatasetDeleted
from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.models import ModelLoadFailed, ModelServing, RollbackRequested
from interlock_contracts.predictions import PredictionsErased
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.training import TrainingCancelled, TrainingCompleted, TrainingQueued
from interlock_messaging import CausationEnvelope, PoisonError, Session, topology
from interlock_messaging.crash_points import crash_point

from interlock_registry import audit, convergence, ledger, promotion, stages, store
from interlock_registry.collector import lock_references
from interlock_registry.domain import Step, after_passing
from interlock_registry.store import PromotionRow, VersionRow

SERVICE = "registry"

logger = logging.getLogger(__name__)
router = RabbitRouter()
Signing = Annotated[Signer, Context("signer")]


@router.subscriber(topology.queue(SERVICE, TrainingCompleted), topology.EXCHANGE, no_reply=True)
async def register_version(event: TrainingCompleted, cause: CausationEnvelope, session: Session) -> None:
    """Give a trained version its number, and ask the gate to measure it; of a deleted model it is deleted at once."""
    await lock_references(session)
    if await store.version_of_run(session, event.run_id) is not None:
        return
    model = await store.lock_model(session, event.model)
    model.versions += 1
    version = VersionRow(
        model=event.model,
        version=model.versions,
        stage="registered",
        run_id=event.run_id,
        pipeline_digest=event.pipeline_digest,
        artifact=event.artifact.model_dump(mode="json"),
        manifest=event.manifest.model_dump(mode="json"),
        datasets=[dataset.model_dump(mode="json") for dataset in event.datasets],
        evaluation=event.evaluation.model_dump(mode="json") if event.evaluation else None,
        evaluation_requests=1,
        bound_for=(await stages.declared(session, event.model))[0],
        deleted_at=model.deleted_at,
        deleted_by=model.deleted_by,
    )
    session.add(version)
    if model.deleted_at is not None:
        return
    await promotion.request_evaluation(session, model, version, cause.identity)
    crash_point("registry.register.before_commit")


@router.subscriber(topology.queue(SERVICE, EvaluationPassed), topology.EXCHANGE, no_reply=True)
async def promote_passed(event: EvaluationPassed, cause: CausationEnvelope, session: Session, signer: Signing) -> None:
    """Promote what the gate let through, unless a person has to approve it or another champion serves by now."""
    model = await store.lock_model(session, event.model)
    version = await _version(session, event.model, event.version)
    if version.deleted_at is not None:
        await ledger.settle(session, event)
        _discard_report(version, event.report)
        return
    stage = version.bound_for
    if stage is None or event.stage not in (None, stage):
        await ledger.settle(session, event)
        return
    spec = await promotion.spec_of(session, version)
    promoted_by = "approval" if event.needs_approval else spec.promotion
    step = after_passing(
        version.stage,
        measured_against=event.against,
        champion=(await store.champions(session, event.model)).get(stage),
        promotion=promoted_by,
        archived=model.archived_at is not None,
    )
    await ledger.settle(session, event, promoted=step is Step.PROMOTE)
    if step is Step.NOTHING:
        return
    _keep_report(version, event.report)
    version.reasons, version.against, version.stage = event.reasons, event.against, "passed"
    version.metrics, version.champion_metrics, version.passed_for = event.metrics, event.champion_metrics, stage
    if step is Step.REQUEST_AGAIN:
        version.evaluation_requests += 1
        await promotion.request_evaluation(session, model, version, cause.identity)
    elif step is Step.PROMOTE:
        await promotion.promote(session, model, version, how="gate", cause=cause.identity, signer=signer, stage=stage)


@router.subscriber(topology.queue(SERVICE, EvaluationFailed), topology.EXCHANGE, no_reply=True)
async def record_refusal(event: EvaluationFailed, session: Session) -> None:
    """Keep the gate's reasons and metrics with the version that it refused."""
    await store.lock_model(session, event.model)
    version = await _version(session, event.model, event.version)
    await ledger.settle(session, event)
    if version.deleted_at is not None:
        _discard_report(version, event.report)
    elif version.stage in ("registered", "passed") and event.stage in (None, version.bound_for):
        version.reasons, version.against = event.reasons, event.against
        version.metrics, version.champion_metrics = event.metrics, event.champion_metrics
        version.bound_for = version.passed_for = None
        _keep_report(version, event.report)
        if await store.has_served(session, event.model, event.version):
            await promotion.restate(session, version)
        else:
            version.stage = "refused"


@router.subscriber(topology.queue(SERVICE, RollbackRequested), topology.EXCHANGE, no_reply=True)
async def roll_back(event: RollbackRequested, cause: CausationEnvelope, session: Session, signer: Signing) -> None:
    """Promote an earlier version again."""
    try:
        # The message's own claim of its origin, marked as such: an event cannot act in the name of a key.
        by = f"event/{cause.source}"
        await promotion.roll_back(
            session,
            event.model,
            event.version,
            by=by,
            reason=event.reason,
            cause=cause.identity,
            signer=signer,
            stage=event.stage,
        )
    except ValueError as error:
        raise PoisonError(str(error)) from error


@router.subscriber(topology.queue(SERVICE, TrainingQueued), topology.EXCHANGE, no_reply=True)
async def note_request(event: TrainingQueued, session: Session) -> None:
    """Keep who has asked for a run, and why."""
    audit.record(session, event.by, "run.requested", f"run/{event.run_id}", model=event.model, reason=event.reason)


@router.subscriber(topology.queue(SERVICE, TrainingCancelled), topology.EXCHANGE, no_reply=True)
async def note_cancellation(event: TrainingCancelled, session: Session) -> None:
    """Keep who has stopped a run."""
    audit.record(session, event.by, "run.cancelled", f"run/{event.run_id}", model=event.model, reason=event.reason)


@router.subscriber(topology.queue(SERVICE, DatasetDeleted), topology.EXCHANGE, no_reply=True)
async def note_dataset_deletion(event: DatasetDeleted, session: Session) -> None:
    """Keep who has deleted a file."""
    audit.record(session, event.by, "dataset.deleted", event.subject, batch=event.batch)


@router.subscriber(topology.queue(SERVICE, PredictionsErased), topology.EXCHANGE, no_reply=True)
async def note_erasure(event: PredictionsErased, session: Session) -> None:
    """Keep who has erased rows of the prediction log, and how many."""
    about = {"column": event.column, "rows": event.rows, "truths": event.truths}
    audit.record(session, event.by, "predictions.erased", f"model/{event.model}/predictions", **about)


@router.subscriber(topology.queue(SERVICE, ModelServing), topology.EXCHANGE, no_reply=True)
async def record_serving(event: ModelServing, cause: CausationEnvelope, session: Session) -> None:
    """Record which gateway worker serves which version."""
    await convergence.record_event(session, event, event_time=cause.time or datetime.now(UTC))


@router.subscriber(topology.queue(SERVICE, ModelLoadFailed), topology.EXCHANGE, no_reply=True)
async def record_load_failure(event: ModelLoadFailed, cause: CausationEnvelope, session: Session) -> None:
    """Record why a gateway worker does not serve a promotion; replicas of prediction do not count in convergence."""
    if cause.source == "/interlock/prediction":
        return
    if await session.get(PromotionRow, (event.model, event.promotion_seq)) is None:
        logger.warning("%s refused promotion %d of %s, which never was", event.worker, event.promotion_seq, event.model)
        return
    await convergence.record_event(session, event, event_time=cause.time or datetime.now(UTC))


def _keep_report(version: VersionRow, ref: ArtifactRef) -> None:
    """Keep the gate's newest report, and of the one before where it is, so that both go with the version."""
    report = ref.model_dump(mode="json")
    if version.report is not None and version.report != report:
        version.earlier_reports = [*version.earlier_reports, version.report]
    version.report = report


def _discard_report(version: VersionRow, ref: ArtifactRef) -> None:
    """Let the report of a version that was deleted while the gate measured it go the way of its other objects."""
    _keep_report(version, ref)
    version.objects_deleted_at = None


async def _version(session: Session, model: str, version: int) -> VersionRow:
    row = await session.get(VersionRow, (model, version))
    if row is None:
        raise PoisonError(f"model {model!r} has no version {version}")
    return row
