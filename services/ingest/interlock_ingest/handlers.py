"""Event handlers: store specs and submissions, delete the files of deleted models."""

import asyncio
from typing import Annotated

from faststream import Context
from faststream.rabbit import RabbitRouter
from interlock_artifacts import ArtifactStore
from interlock_contracts.datasets import DatasetRejected, DatasetSubmitted, Finding, PipelineApplied
from interlock_contracts.models import ModelDeleted
from interlock_contracts.pipeline import Pipeline
from interlock_messaging import CausationEnvelope, Session, enqueue, topology
from interlock_messaging.outbox import current_traceparent
from interlock_messaging.wakeups import wake_after_commit
from interlock_modeling.split import HashForm

from interlock_ingest import rereading, tombstones
from interlock_ingest.domain import invalid_object_key
from interlock_ingest.store import SERVICE, SpecRow, SubmissionRow, hash_form

router = RabbitRouter()

Artifacts = Annotated[ArtifactStore, Context("artifacts")]


@router.subscriber(topology.queue(SERVICE, PipelineApplied), topology.EXCHANGE, no_reply=True)
async def keep_spec(
    event: PipelineApplied,
    cause: CausationEnvelope,
    session: Session,
    artifacts: Artifacts,
    form: Annotated[HashForm, Context("hash_form")],
) -> None:
    """Keep the pipeline's spec: files that come from now on are validated against it, and stored ones read again.

    These are the ones whose stored rows do not fit it.
    """
    spec = Pipeline.model_validate_json(await asyncio.to_thread(artifacts.fetch, event.spec))
    await SpecRow.keep(session, event, spec, hash_form=await hash_form(session, event.pipeline, new=form))
    await rereading.begin(session, event.pipeline, event.pipeline_digest, cause.identity)


@router.subscriber(topology.queue(SERVICE, ModelDeleted), topology.EXCHANGE, no_reply=True)
async def forget_pipeline(event: ModelDeleted, session: Session) -> None:
    """Take in no file for a deleted model; those that are there are deleted by the collector."""
    await tombstones.keep_deletion(session, event.model, by=event.by)


@router.subscriber(topology.queue(SERVICE, DatasetSubmitted), topology.EXCHANGE, no_reply=True)
async def note_submission(event: DatasetSubmitted, cause: CausationEnvelope, session: Session) -> None:
    """Enqueue the object, to be fetched and validated apart from the message; reject a key outside of the prefix."""
    fault = invalid_object_key(event.pipeline, event.object)
    if fault is not None:
        reasons = [Finding(rule="object", message=fault)]
        rejection = DatasetRejected(pipeline=event.pipeline, object=event.object, reasons=reasons)
        await enqueue(session, rejection, source=SERVICE, cause=cause.identity)
        return
    row = SubmissionRow(
        cause=cause.identity,
        pipeline=event.pipeline,
        object=event.object,
        role=event.role,
        traceparent=current_traceparent(),
    )
    session.add(row)
    wake_after_commit(session, SubmissionRow)
