"""Requests, coalescing, cancellation and end of runs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from interlock_contracts.event import Envelope, run_id
from interlock_contracts.names import no_pipeline
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.training import RunState, TrainingCancelled, TrainingFailed, TrainingQueued
from interlock_messaging import enqueue
from interlock_messaging.outbox import current_traceparent
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_train_dispatch import spans, store
from interlock_train_dispatch.store import ArchiveRow, RunRow

SERVICE = "train_dispatch"


def out_of_use(archive: ArchiveRow) -> str:
    """Return why nothing is trained of a model that is archived or deleted."""
    if archive.deleted_by is not None:
        return f"model {archive.model!r} was deleted by {archive.deleted_by}"
    return f"model {archive.model!r} is archived; bring it back first"


async def request(
    session: AsyncSession,
    model: str,
    cause: Envelope,
    *,
    pipeline: str | None = None,
    dataset: str | None = None,
    commit: str | None = None,
    by: str | None = None,
    why: str | None = None,
    tags: Mapping[str, str] | None = None,
    trigger: Literal["data", "event"] = "data",
) -> RunRow:
    """Make the run that ``cause`` asks for: queued, joined to the one queued already, or failed with the reason.

    ``by`` and ``why`` are who requested it, and the reason; ``tags`` are kept with it, whatever becomes of it.
    A repeat that the inbox no longer remembers is answered with the run that there is.
    """
    await store.lock_model(session, model)
    if (known := await session.get(RunRow, run_id(cause.identity, model))) is not None:
        return known
    spec = await store.SpecRow.find(session, model, pipeline)
    waiting = await store.queued(session, model)
    run = RunRow(
        run_id=run_id(cause.identity, model),
        model=model,
        state="queued",
        causation_id=cause.identity,
        pipeline_digest=spec.digest if spec else pipeline or "",
        dataset=dataset,
        commit=commit,
        requested_by=by,
        request_reason=why,
        tags=dict(tags or {}),
        request_traceparent=current_traceparent(),
        attempt=0,
        datasets=[],
    )
    run.traceparent = spans.traceparent_of(run)
    spans.belongs_to(run)
    if by is not None:
        queued = TrainingQueued(run_id=run.run_id, model=model, by=by, reason=why)
        await enqueue(session, queued, source=SERVICE, cause=cause.identity, traceparent=run.traceparent)
    archive = await store.archive_of(session, model)
    refusal = out_of_use(archive) if archive else await _refusal(session, run, spec, trigger)
    if refusal is not None:
        await end(session, run, "failed", refusal, cause.identity)
    elif waiting is not None:
        run.coalesced_into = waiting.run_id
        finish(run, "coalesced", None, into=waiting.traceparent)
        # The queued run has not looked at anything yet, so the newest request says what it will train on.
        waiting.pipeline_digest, waiting.dataset, waiting.commit = run.pipeline_digest, dataset, commit
    session.add(run)
    return run


async def _refusal(session: AsyncSession, run: RunRow, spec: store.SpecRow | None, trigger: str) -> str | None:
    if spec is None:
        names = await store.SpecRow.names(session)
        if run.model in names:
            return f"pipeline {run.model!r} has no spec with digest {run.pipeline_digest}; apply it first"
        return no_pipeline(run.model, names)
    if trigger not in Pipeline.model_validate(spec.spec).training.trigger:
        return f"pipeline {run.model!r} does not list {trigger!r} among its training.trigger"
    known = [row.digest for row in await store.datasets(session, spec)]
    if not known:
        return f"pipeline {run.model!r} has no accepted dataset for its newest data section; upload one first"
    if run.dataset is not None and run.dataset not in known:
        judged_on = await store.is_evaluation_file(session, spec, run.dataset)
        why = f"has dataset {run.dataset} as an evaluation file, which is never trained on"
        return f"pipeline {run.model!r} {why if judged_on else f'has no accepted dataset {run.dataset}'}"
    return None


def finish(run: RunRow, state: RunState, reason: str | None, *, into: str | None = None) -> None:
    """Write down how a run has ended, and record its span; ``into`` is the trace context of a run that it joins."""
    run.state, run.reason, run.ended_at = state, reason, datetime.now(UTC)
    spans.emit_run(run, into=into)


async def cancel(session: AsyncSession, run: RunRow, reason: str | None, cause: str, *, by: str) -> None:
    """Cancel a queued run now, a running one at the next reconciliation, and enqueue ``training.cancelled``.

    After training, cancelling has no effect.
    """
    if run.state not in ("queued", "running") or run.trained_at is not None:
        return
    event = TrainingCancelled(run_id=run.run_id, model=run.model, by=by, reason=reason)
    await enqueue(session, event, source=SERVICE, cause=cause, traceparent=run.traceparent)
    if run.state == "queued":
        await end(session, run, "cancelled", reason or "cancelled on request", cause)
    else:
        run.cancelled, run.reason = True, reason


async def end_without(session: AsyncSession, model: str, dataset: str, cause: str, *, by: str) -> None:
    """End the runs that train on a file which was deleted: their jobs, which may still read it, are stopped.

    A model that is trained already goes on to the gate, and so does its run.
    """
    for run in await store.training_on(session, model, dataset):
        spans.belongs_to(run)
        run.submitted = True  # Ray may hold its job, though that was not recorded
        await end(session, run, "failed", f"file {dataset}, on which it trained, was deleted by {by}", cause)


async def end_of_model(session: AsyncSession, model: str, cause: str, *, by: str) -> None:
    """End every run of a deleted model; a job that may still run is stopped, and no verdict is waited for."""
    for run in await store.unfinished(session, model):
        spans.belongs_to(run)
        run.submitted = run.state == "running" and run.trained_at is None
        await end(session, run, "failed", f"model {model!r} was deleted by {by}", cause)


async def end(
    session: AsyncSession, run: RunRow, outcome: Literal["failed", "cancelled", "timed_out"], reason: str, cause: str
) -> None:
    """End a run without a model, and enqueue ``training.failed``."""
    finish(run, outcome, reason)
    event = TrainingFailed(run_id=run.run_id, model=run.model, attempt=run.attempt, outcome=outcome, reason=reason)
    await enqueue(session, event, source=SERVICE, cause=cause, traceparent=run.traceparent)
