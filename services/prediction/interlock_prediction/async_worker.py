"""Batch consumer of asynchronous predictions: micro-batches of up to 8192 rows per model, one transaction."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from interlock_artifacts import ArtifactStore
from interlock_artifacts.store import CorruptArtifactError, MissingArtifactError
from interlock_contracts.predictions import INLINE_BYTES, PredictionCompleted, PredictionFailed, PredictionRequested
from interlock_contracts.refs import ArtifactRef
from interlock_messaging.batch_consumer import BatchMessage
from interlock_messaging.crash_points import crash_point
from interlock_messaging.outbox import OutboxEntry, enqueue_all
from interlock_modeling import InvalidRowsError
from interlock_modeling.answer import PredictAnswer, answer, keys_of
from interlock_serving.manager import LoadFailedError, ModelManager
from interlock_serving.slot import ServedModel
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_prediction import gauges, store
from interlock_prediction.domain import Refusal, refusal_from, slice_predictions
from interlock_prediction.prediction_sampler import AnsweredRequest, PredictionSampler
from interlock_prediction.reconcile import PromotionReconciler
from interlock_prediction.store import CANCELLED, EndedPrediction

INLINE_ROWS = 256
"""Calls of up to so many rows run in the event loop: a thread would cost more than the call."""

MAX_BATCH_ROWS = 8192
"""Rows of one engine call, unless a single request brings more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one request: the response body, also encoded, and its object in the store if it is large."""

    answered: AnsweredRequest
    body: PredictAnswer
    encoded: bytes
    result: ArtifactRef | None = None

    @property
    def version(self) -> int:
        return self.answered.serving.version

    @property
    def rows(self) -> int:
        return len(self.answered.rows)


Outcome = Answer | Refusal


class AsyncPredictor:
    """Predicts batches of requests with the versions promoted at that moment, and enqueues the results."""

    def __init__(
        self,
        manager: ModelManager[ServedModel],
        reconciler: PromotionReconciler,
        artifacts: ArtifactStore,
        sampler: PredictionSampler,
    ) -> None:
        self._manager = manager
        self._reconciler = reconciler
        self._sampler = sampler
        self._artifacts = artifacts

    async def handle_batch(self, session: AsyncSession, messages: Sequence[BatchMessage]) -> None:
        """Predict the requests that are new, record the results, and enqueue their events.

        Idempotent: a request seen before changes nothing. One cancelled before it arrived gets its event now.
        """
        seen = await store.known_ids(session, [message.event.prediction_id for message in messages])
        new = {each.event.prediction_id: each for each in messages if each.event.prediction_id not in seen}
        by_model: defaultdict[str, list[BatchMessage]] = defaultdict(list)
        for message in new.values():
            by_model[message.event.model].append(message)
        outcomes: dict[UUID, Outcome] = {}
        for model, requests in by_model.items():
            outcomes |= await self._predict_model(model, requests)
        recorded: dict[UUID, Outcome] = {}
        if outcomes:
            crash_point("prediction.answers.computed")
            recorded = await _record(session, [(new[each], outcome) for each, outcome in outcomes.items()])
            await self._sampler.record(
                session, [each.answered for each in recorded.values() if isinstance(each, Answer)]
            )
        if overtaken := [
            each for each in messages if not each.retry_error and each.event.prediction_id not in recorded
        ]:
            await _enqueue_cancelled(session, overtaken)

    async def _predict_model(self, model: str, requests: Sequence[BatchMessage]) -> dict[UUID, Outcome]:
        try:
            await self._reconciler.ensure_known(model)
            serving = await self._manager.get_or_load(model, newest=True)
        except (ConnectionError, TimeoutError) as error:
            for message in requests:
                message.retry_error = error
            return {}
        except LoadFailedError as error:
            refused = Refusal(f"no version of {model!r} can be loaded: {error}"[:2000])
            return {message.event.prediction_id: refused for message in requests}
        if serving is None:
            refused = Refusal(f"no version of {model!r} is promoted")
            return {message.event.prediction_id: refused for message in requests}
        outcomes: dict[UUID, Outcome] = {}
        readable: list[tuple[BatchMessage, list[Any]]] = []
        for message in requests:
            rows = await self._load_rows(message)
            if isinstance(rows, Refusal):
                outcomes[message.event.prediction_id] = rows
            elif rows is not None:
                readable.append((message, rows))
        for group in _micro_batches(readable):
            outcomes |= await self._predict(model, serving, group)
        return outcomes

    async def _load_rows(self, message: BatchMessage) -> list[Any] | Refusal | None:
        """Return the request's rows, a refusal where they cannot be read, None (to retry) where the store is down."""
        request: PredictionRequested = message.event
        if request.input is None:
            return request.rows
        try:
            data = await asyncio.to_thread(self._artifacts.fetch, request.input)
            rows = msgspec.json.decode(data)["rows"]
        except (ConnectionError, TimeoutError) as error:
            message.retry_error = error
            return None
        except (CorruptArtifactError, MissingArtifactError) as error:
            return Refusal(f"the rows cannot be read: {error}")
        except (msgspec.DecodeError, KeyError, TypeError):
            return Refusal('the rows are not {"rows": [{column: value, …}, …]}')
        return rows if isinstance(rows, list) and rows else Refusal("there are no rows")

    async def _predict(
        self, model: str, serving: ServedModel, group: Sequence[tuple[BatchMessage, list[Any]]]
    ) -> dict[UUID, Outcome]:
        rows = [row for _, wanted in group for row in wanted]
        try:
            predictions = await _run_engine(serving, rows)
        except InvalidRowsError as error:
            if len(group) == 1:
                return {group[0][0].event.prediction_id: refusal_from(error)}
            alone = [await self._predict(model, serving, [each]) for each in group]
            return {key: value for each in alone for key, value in each.items()}
        outcomes: dict[UUID, Outcome] = {}
        start, signature = 0, serving.model.signature
        for message, wanted in group:
            part = slice_predictions(predictions, start, start + len(wanted))
            start += len(wanted)
            prediction_id = message.event.prediction_id
            body = answer(
                str(prediction_id),
                model,
                serving.version,
                signature.labels,
                part.scores.tolist(),
                part.warnings,
                signature.threshold,
            )
            body.keys = keys_of(signature, wanted)
            encoded = msgspec.json.encode(body)
            try:
                answered = AnsweredRequest(str(prediction_id), model, serving, wanted, part.scores)
                outcomes[prediction_id] = Answer(answered, body, encoded, await self._store_if_large(encoded))
            except (ConnectionError, TimeoutError) as error:
                message.retry_error = error
        return outcomes

    async def _store_if_large(self, encoded: bytes) -> ArtifactRef | None:
        return await asyncio.to_thread(self._artifacts.put, encoded) if len(encoded) > INLINE_BYTES else None


def _micro_batches(readable: Sequence[tuple[BatchMessage, list[Any]]]) -> list[list[tuple[BatchMessage, list[Any]]]]:
    """Group requests into engine calls of up to ``MAX_BATCH_ROWS``; a larger request is a call by itself."""
    groups: list[list[tuple[BatchMessage, list[Any]]]] = []
    count = MAX_BATCH_ROWS
    for each in readable:
        count += len(each[1])
        if count > MAX_BATCH_ROWS:
            groups.append([])
            count = len(each[1])
        groups[-1].append(each)
    return groups


async def _run_engine(serving: ServedModel, rows: list[Any]) -> Any:
    if len(rows) <= INLINE_ROWS:
        return serving.model.predict_rows(rows)
    return await asyncio.to_thread(serving.model.predict_rows, rows)


async def _record(session: AsyncSession, outcomes: Sequence[tuple[BatchMessage, Outcome]]) -> dict[UUID, Outcome]:
    """Insert results and enqueue their events; return those inserted: a cancellation may have come first."""
    now = datetime.now(UTC)
    ended = [_ended_row(message, outcome, now) for message, outcome in outcomes]
    written = await store.insert_ended(session, ended)
    recorded = [each for each in outcomes if each[0].event.prediction_id in written]
    await _enqueue_ended(session, [(message, _ended_event(message, outcome, now)) for message, outcome in recorded])
    for message, outcome in recorded:
        requested, done = message.envelope.time or now, isinstance(outcome, Answer)
        gauges.record_ended(message.event.model, "completed" if done else "failed", (now - requested).total_seconds())
    return {message.event.prediction_id: outcome for message, outcome in recorded}


async def _enqueue_ended(
    session: AsyncSession, ends: Sequence[tuple[BatchMessage, PredictionCompleted | PredictionFailed]]
) -> None:
    """Enqueue the events of ended requests, and their webhooks."""
    webhooks = [(each.event.prediction_id, each.event.webhook.url) for each, _ in ends if each.event.webhook]
    await store.enqueue_webhooks(session, webhooks)
    entries = [
        OutboxEntry(event, each.envelope.identity, traceparent=each.envelope.traceparent) for each, event in ends
    ]
    await enqueue_all(session, entries, source="prediction")


async def _enqueue_cancelled(session: AsyncSession, messages: Sequence[BatchMessage]) -> None:
    """Enqueue the events of requests cancelled before they arrived: their model was not known until now."""
    requests = {each.event.prediction_id: each for each in messages}
    claimed = await store.claim_cancelled(
        session, {name: (each.event.model, each.event.request_sha256) for name, each in requests.items()}
    )
    await _enqueue_ended(session, [(requests[each], _cancelled(requests[each].event)) for each in claimed])


def _cancelled(request: PredictionRequested) -> PredictionFailed:
    return PredictionFailed(
        prediction_id=request.prediction_id, model=request.model, outcome="cancelled", reason=CANCELLED
    )


def _ended_row(message: BatchMessage, outcome: Outcome, now: datetime) -> EndedPrediction:
    request: PredictionRequested = message.event
    done = outcome if isinstance(outcome, Answer) else None
    refused = outcome if isinstance(outcome, Refusal) else None
    return EndedPrediction(
        prediction_id=request.prediction_id,
        model=request.model,
        state="completed" if done else "failed",
        request_sha256=request.request_sha256,
        traceparent=message.envelope.traceparent,
        version=done.version if done else None,
        rows=done.rows if done else None,
        answer=done.encoded if done and done.result is None else None,
        result=done.result.model_dump_json() if done and done.result else None,
        result_format="json" if done and done.result else None,
        reason=refused.reason if refused else None,
        errors=msgspec.json.encode([each.model_dump() for each in refused.errors]).decode() if refused else None,
        requested_at=message.envelope.time or now,
        ended_at=now,
        expires_at=now + timedelta(seconds=request.ttl_seconds),
    )


def _ended_event(message: BatchMessage, outcome: Outcome, now: datetime) -> PredictionCompleted | PredictionFailed:
    request: PredictionRequested = message.event
    if isinstance(outcome, Refusal):
        return PredictionFailed(
            prediction_id=request.prediction_id,
            model=request.model,
            reason=outcome.reason,
            errors=list(outcome.errors),
        )
    return PredictionCompleted(
        prediction_id=request.prediction_id,
        model=request.model,
        version=outcome.version,
        rows=outcome.rows,
        answer=msgspec.to_builtins(outcome.body) if outcome.result is None else None,
        result=outcome.result,
        expires_at=now + timedelta(seconds=request.ttl_seconds),
    )
