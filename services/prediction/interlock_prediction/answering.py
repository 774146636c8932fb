"""Requests that wait together are answered together: one engine call for each model, one transaction for all."""

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
from interlock_modeling import InvalidRowsError, ModelFormatError
from interlock_serving.validation.client import RefusedModelError
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_prediction import gauges, store
from interlock_prediction.answer_log import Answered, AnswerLog
from interlock_prediction.domain import Refusal, answer, part, refusal_of
from interlock_prediction.models import Models, Resident
from interlock_prediction.store import CANCELLED, Ended

INLINE_ROWS = 256
"""Up to so many rows are computed in the event loop; handing them to a thread costs more than they do."""

ROWS_AT_ONCE = 8192

_UNSOUND = (CorruptArtifactError, MissingArtifactError, ModelFormatError, RefusedModelError, InvalidRowsError)
"""Why a version cannot be loaded, however often it is tried."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to: its body, what was asked and gave it, and where the body lies if it is large."""

    answered: Answered
    body: dict[str, Any]
    encoded: bytes
    result: ArtifactRef | None = None

    @property
    def version(self) -> int:
        """Return which version answered."""
        return self.answered.serving.version

    @property
    def rows(self) -> int:
        """Return how many rows were answered."""
        return len(self.answered.rows)


Outcome = Answer | Refusal


class Answering:
    """Answers batches of requests with what serves at that moment."""

    def __init__(self, models: Models, artifacts: ArtifactStore, log: AnswerLog) -> None:
        self._models = models
        self._log = log
        self._artifacts = artifacts

    async def answer(self, session: AsyncSession, messages: Sequence[BatchMessage]) -> None:
        """Answer the requests that were not seen before, keep the answers, and say them.

        What was seen before is left as it is; where a request was cancelled before it came, that is said.
        """
        seen = await store.known(session, [message.event.prediction_id for message in messages])
        new = {each.event.prediction_id: each for each in messages if each.event.prediction_id not in seen}
        by_model: defaultdict[str, list[BatchMessage]] = defaultdict(list)
        for message in new.values():
            by_model[message.event.model].append(message)
        outcomes: dict[UUID, Outcome] = {}
        for model, asked in by_model.items():
            outcomes |= await self._answer_model(model, asked)
        kept: dict[UUID, Outcome] = {}
        if outcomes:
            crash_point("prediction.answers.computed")
            kept = await _write(session, [(new[each], outcome) for each, outcome in outcomes.items()])
            await self._log.keep(session, [each.answered for each in kept.values() if isinstance(each, Answer)])
        if overtaken := [each for each in messages if not each.retry_error and each.event.prediction_id not in kept]:
            await _tell_cancelled(session, overtaken)

    async def _answer_model(self, model: str, asked: Sequence[BatchMessage]) -> dict[UUID, Outcome]:
        try:
            serving = await self._models.serving(model)
        except (ConnectionError, TimeoutError) as error:
            for message in asked:
                message.retry_error = error
            return {}
        except _UNSOUND as error:
            refused = Refusal(f"no version of {model!r} can be loaded: {error}"[:2000])
            return {message.event.prediction_id: refused for message in asked}
        if serving is None:
            refused = Refusal(f"no version of {model!r} is promoted")
            return {message.event.prediction_id: refused for message in asked}
        outcomes: dict[UUID, Outcome] = {}
        readable: list[tuple[BatchMessage, list[Any]]] = []
        for message in asked:
            rows = await self._rows(message)
            if isinstance(rows, Refusal):
                outcomes[message.event.prediction_id] = rows
            elif rows is not None:
                readable.append((message, rows))
        for group in _groups(readable):
            outcomes |= await self._predict(model, serving, group)
        return outcomes

    async def _rows(self, message: BatchMessage) -> list[Any] | Refusal | None:
        """Return what is asked, a refusal where that can't be read, None where the store is down."""
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
        self, model: str, serving: Resident, group: Sequence[tuple[BatchMessage, list[Any]]]
    ) -> dict[UUID, Outcome]:
        rows = [row for _, asked in group for row in asked]
        try:
            predictions = await _computed(serving, rows)
        except InvalidRowsError as error:
            if len(group) == 1:
                return {group[0][0].event.prediction_id: refusal_of(error)}
            alone = [await self._predict(model, serving, [each]) for each in group]
            return {key: value for each in alone for key, value in each.items()}
        outcomes: dict[UUID, Outcome] = {}
        start, labels = 0, serving.model.signature.labels
        for message, asked in group:
            own = part(predictions, start, start + len(asked))
            start += len(asked)
            prediction_id = message.event.prediction_id
            body = answer(str(prediction_id), model, serving.version, labels, own)
            encoded = msgspec.json.encode(body)
            try:
                answered = Answered(str(prediction_id), model, serving, asked, own.scores)
                outcomes[prediction_id] = Answer(answered, body, encoded, await self._stored(encoded))
            except (ConnectionError, TimeoutError) as error:
                message.retry_error = error
        return outcomes

    async def _stored(self, encoded: bytes) -> ArtifactRef | None:
        return await asyncio.to_thread(self._artifacts.put, encoded) if len(encoded) > INLINE_BYTES else None


def _groups(readable: Sequence[tuple[BatchMessage, list[Any]]]) -> list[list[tuple[BatchMessage, list[Any]]]]:
    """Put requests together up to so many rows an engine call; a larger request is one by itself."""
    groups: list[list[tuple[BatchMessage, list[Any]]]] = []
    count = ROWS_AT_ONCE
    for each in readable:
        count += len(each[1])
        if count > ROWS_AT_ONCE:
            groups.append([])
            count = len(each[1])
        groups[-1].append(each)
    return groups


async def _computed(serving: Resident, rows: list[Any]) -> Any:
    if len(rows) <= INLINE_ROWS:
        return serving.model.predict_rows(rows)
    return await asyncio.to_thread(serving.model.predict_rows, rows)


async def _write(session: AsyncSession, outcomes: Sequence[tuple[BatchMessage, Outcome]]) -> dict[UUID, Outcome]:
    """Write down, and say, what is not known yet: a cancellation may have come first. Return what was written."""
    now = datetime.now(UTC)
    ended = [_ended(message, outcome, now) for message, outcome in outcomes]
    written = await store.keep(session, ended)
    kept = [each for each in outcomes if each[0].event.prediction_id in written]
    await _tell(session, [(message, _said(message, outcome, now)) for message, outcome in kept])
    for message, outcome in kept:
        said, done = message.envelope.time or now, isinstance(outcome, Answer)
        gauges.count(message.event.model, "completed" if done else "failed", (now - said).total_seconds())
    return {message.event.prediction_id: outcome for message, outcome in kept}


async def _tell(
    session: AsyncSession, ends: Sequence[tuple[BatchMessage, PredictionCompleted | PredictionFailed]]
) -> None:
    """Say how requests ended, and let those who asked for it be told."""
    webhooks = [(each.event.prediction_id, each.event.webhook.url) for each, _ in ends if each.event.webhook]
    await store.await_webhooks(session, webhooks)
    said = [OutboxEntry(event, each.envelope.id, traceparent=each.envelope.traceparent) for each, event in ends]
    await enqueue_all(session, said, source="prediction")


async def _tell_cancelled(session: AsyncSession, messages: Sequence[BatchMessage]) -> None:
    """Say of requests that were cancelled before they came that they are: only now is it known what they were."""
    asked = {each.event.prediction_id: each for each in messages}
    met = await store.meet_cancelled(
        session, {name: (each.event.model, each.event.request_sha256) for name, each in asked.items()}
    )
    await _tell(session, [(asked[each], _cancelled(asked[each].event)) for each in met])


def _cancelled(request: PredictionRequested) -> PredictionFailed:
    return PredictionFailed(
        prediction_id=request.prediction_id, model=request.model, outcome="cancelled", reason=CANCELLED
    )


def _ended(message: BatchMessage, outcome: Outcome, now: datetime) -> Ended:
    request: PredictionRequested = message.event
    done = outcome if isinstance(outcome, Answer) else None
    refused = outcome if isinstance(outcome, Refusal) else None
    return Ended(
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


def _said(message: BatchMessage, outcome: Outcome, now: datetime) -> PredictionCompleted | PredictionFailed:
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
        answer=outcome.body if outcome.result is None else None,
        result=outcome.result,
        expires_at=now + timedelta(seconds=request.ttl_seconds),
    )
