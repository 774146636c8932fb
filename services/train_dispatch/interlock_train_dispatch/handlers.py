"""Event handlers: what causes a run, what cancels it, and how it ended."""

import asyncio
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from faststream import Context
from faststream.rabbit import RabbitRouter
from interlock_artifacts import ArtifactStore
from interlock_contracts.datasets import DatasetDeleted, DatasetIngested, PipelineApplied
from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.models import ModelArchived, ModelDeleted, ModelPromoted
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.training import RetrainRequested, TrainingCancelRequested
from interlock_messaging import CausationEnvelope, PoisonError, Publisher, Session, topology
from sqlalchemy import select

from interlock_train_dispatch import runs, spans, store
from interlock_train_dispatch.domain import data_digest
from interlock_train_dispatch.runs import SERVICE
from interlock_train_dispatch.store import ArchiveRow, DatasetRow, DeletedRow, RunRow, SpecRow

router = RabbitRouter()

Artifacts = Annotated[ArtifactStore, Context("artifacts")]


@router.subscriber(topology.queue(SERVICE, PipelineApplied), topology.EXCHANGE, no_reply=True)
async def keep_spec(event: PipelineApplied, session: Session, artifacts: Artifacts) -> None:
    """Keep the pipeline's spec: every run uses the one that its cause named."""
    spec = Pipeline.model_validate_json(await asyncio.to_thread(artifacts.fetch, event.spec))
    await SpecRow.keep(session, event, spec, data_digest=data_digest(spec))


@router.subscriber(topology.queue(SERVICE, DatasetIngested), topology.EXCHANGE, no_reply=True)
async def train_on_new_data(event: DatasetIngested, cause: CausationEnvelope, session: Session) -> None:
    """Keep the accepted file, and train on it where the pipeline says that data is a cause.

    A new evaluation file is nothing to learn from, nor is one of which all rows are held out: neither starts a run, and
    the next one is judged on them. Of files that were read again only the last starts one, when all are here.
    """
    spec = await SpecRow.find(session, event.pipeline, event.pipeline_digest)
    if spec is None:
        archive = await store.archive_of(session, event.pipeline)
        if archive is not None and archive.deleted_by is not None:
            return  # its specs are deleted as well
        # `pipeline.applied` comes through another queue and may be late.
        raise LookupError(f"the spec {event.pipeline_digest} of pipeline {event.pipeline!r} is not here yet")
    row = DatasetRow(
        pipeline=event.pipeline,
        digest=event.dataset.digest,
        data_digest=spec.data_digest,
        number=event.batch,
        ref=event.dataset.model_dump(mode="json"),
        role=event.role,
    )
    await store.keep_dataset(session, row)
    if event.role == "evaluation" or not (event.last_of if event.read_again else event.dataset.train_rows):
        return
    if missing := await _unknown(session, spec, event.last_of):
        raise LookupError(f"{len(missing)} files that were read again with {row.digest} are not here yet")
    wanted = "data" in Pipeline.model_validate(spec.spec).training.trigger
    if wanted and not await store.trained_on(session, event.pipeline, event.dataset.digest, event.pipeline_digest):
        await runs.request(
            session,
            event.pipeline,
            cause.identity,
            pipeline=event.pipeline_digest,
            by=event.uploaded_by if not event.read_again else None,
            why="stored files were read again for a changed pipeline" if event.read_again else None,
        )


async def _unknown(session: Session, spec: SpecRow, digests: Sequence[str]) -> set[str]:
    """Return which of the files are not heard of yet under the data section of a spec."""
    heard = DatasetRow.pipeline == spec.pipeline, DatasetRow.data_digest == spec.data_digest
    return {*digests} - {*await session.scalars(select(DatasetRow.digest).where(*heard))}


@router.subscriber(topology.queue(SERVICE, DatasetDeleted), topology.EXCHANGE, no_reply=True)
async def forget_dataset(event: DatasetDeleted, cause: CausationEnvelope, session: Session) -> None:
    """Train on a deleted file no more; a run that does ends as failed."""
    if event.batch is None:
        return
    await store.lock_model(session, event.pipeline)
    row = DeletedRow(pipeline=event.pipeline, digest=event.digest, number=event.batch, by=event.by)
    await store.keep_deletion(session, row)
    if not await store.dataset_exists(session, event.pipeline, event.digest):
        await runs.end_without(session, event.pipeline, event.digest, cause.identity, by=event.by)


@router.subscriber(topology.queue(SERVICE, ModelArchived), topology.EXCHANGE, no_reply=True)
async def note_archive(event: ModelArchived, session: Session) -> None:
    """Keep whether a model is archived: then no new run of it begins, whatever asks for one."""
    await store.keep_archive(session, ArchiveRow(model=event.model, archived=event.archived, seq=event.seq))


@router.subscriber(topology.queue(SERVICE, ModelDeleted), topology.EXCHANGE, no_reply=True)
async def forget_model(event: ModelDeleted, cause: CausationEnvelope, session: Session) -> None:
    """Begin no run of a deleted model, whatever asks for one; those that are under way end as failed."""
    await store.lock_model(session, event.model)
    row = ArchiveRow(model=event.model, archived=True, seq=event.seq, deleted_by=event.by)
    await store.keep_archive(session, row)
    await runs.end_of_model(session, event.model, cause.identity, by=event.by)


@router.subscriber(topology.queue(SERVICE, RetrainRequested), topology.EXCHANGE, no_reply=True)
async def train_on_request(
    event: RetrainRequested, cause: CausationEnvelope, publisher: Publisher, session: Session
) -> None:
    """Train because somebody asked, whether or not there is new data."""
    await runs.request(
        session,
        event.model,
        cause.identity,
        pipeline=event.pipeline,
        dataset=event.dataset,
        commit=event.commit,
        by=event.requested_by(cause, publisher),
        why=event.why,
        tags=event.tags,
        trigger="event",
    )


@router.subscriber(topology.queue(SERVICE, TrainingCancelRequested), topology.EXCHANGE, no_reply=True)
async def cancel_run(event: TrainingCancelRequested, cause: CausationEnvelope, session: Session) -> None:
    """Stop a run, queued or running; one that has ended stays as it is."""
    run = await session.get(RunRow, event.run_id, with_for_update=True)
    if run is None:
        raise PoisonError(f"there is no run {event.run_id}")
    await runs.cancel(session, run, event.reason, cause.identity, by=f"event/{cause.source}")


@router.subscriber(topology.queue(SERVICE, EvaluationPassed), topology.EXCHANGE, no_reply=True)
async def end_run_awaiting_approval(event: EvaluationPassed, session: Session) -> None:
    """End a run whose promotion is up to a person: its own work is done, and the model may train again."""
    await store.keep_metrics(session, event.run_id, event.metrics)
    run = await _running(session, event.run_id)
    if run is None:
        return
    run.version = event.version
    spec = await SpecRow.find(session, run.model, run.pipeline_digest)
    by_approval = spec is not None and Pipeline.model_validate(spec.spec).promotion == "approval"
    if by_approval or event.needs_approval:
        runs.finish(run, "succeeded", "the gate let it through; it waits for an approval")
    elif await store.archive_of(session, run.model):
        runs.finish(run, "succeeded", "the gate let it through; its model is archived")


@router.subscriber(topology.queue(SERVICE, EvaluationFailed), topology.EXCHANGE, no_reply=True)
async def end_refused_run(event: EvaluationFailed, session: Session) -> None:
    """End a run whose model the gate has refused."""
    await store.keep_metrics(session, event.run_id, event.metrics)
    run = await _running(session, event.run_id)
    if run is not None:
        run.version = event.version
        runs.finish(run, "refused", "; ".join(event.reasons))


@router.subscriber(topology.queue(SERVICE, ModelPromoted), topology.EXCHANGE, no_reply=True)
async def end_promoted_run(event: ModelPromoted, session: Session) -> None:
    """End a run whose model serves."""
    run = await _running(session, event.run_id) if event.run_id else None
    if run is not None:
        run.version = event.version
        runs.finish(run, "succeeded", None)


async def _running(session: Session, run_id: UUID) -> RunRow | None:
    run = await session.get(RunRow, run_id, with_for_update=True)
    if run is None or run.state != "running":
        return None
    spans.belongs_to(run)
    return run
