"""Submission of files for batch scoring: version and file format are fixed at that moment."""

import asyncio
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from interlock_artifacts import ArtifactStore
from interlock_artifacts.signing import SignatureVerifier
from interlock_contracts.data import Data
from interlock_contracts.http import DatasetView
from interlock_contracts.names import no_pipeline
from interlock_contracts.prediction_bodies import DatasetPredictionRequest
from interlock_contracts.refs import ArtifactRef, ModelRef
from interlock_contracts.scoring import OnError, ScoringJob
from interlock_messaging.crash_points import crash_point
from interlock_messaging.outbox import current_traceparent
from interlock_runtime.clients import IngestClient, Missing, RegistryClient
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_prediction import store
from interlock_prediction.batch import store as batch_store
from interlock_prediction.batch.store import BatchRow, Runner
from interlock_prediction.store import PredictionRow


class ModelNotAvailableError(LookupError):
    """The model is ``missing``, unknown or deleted, or no version of it is promoted."""

    def __init__(self, why: str, *, missing: Missing | None = None) -> None:
        self.missing = missing
        super().__init__(why)


@dataclass(frozen=True)
class ScoringContext:
    """What a model's files are scored with: the champion at their submission, and ``data``, how files are written.

    That is as the champion's own spec declares it, which may not be the newest: what it was trained on will do.

    ``promotion_seq`` is that of the champion. That one version answers all of a file; ``choose_version``, which chooses
    for each request, has no part in it.
    """

    model: ModelRef
    promotion_seq: int
    data: Data


@dataclass(frozen=True)
class ScoringOptions:
    """What becomes of rows that do not fit, and the share of the answers that are in the prediction log."""

    on_error: OnError = "fail"
    log: float = 0


@dataclass(frozen=True)
class Delivery:
    """The webhook's URL of a request, and for how many seconds its result is kept."""

    webhook: str | None = None
    ttl_seconds: int | None = None

    @classmethod
    def of(cls, wanted: DatasetPredictionRequest) -> Self:
        return cls(wanted.webhook.url if wanted.webhook is not None else None, wanted.ttl_seconds)


@dataclass(frozen=True)
class BatchSubmitter:
    """Enqueues files for scoring; those of ``ray_bytes`` or more for the Ray cluster, if there is one."""

    artifacts: ArtifactStore
    registry: RegistryClient
    ingest: IngestClient
    verifier: SignatureVerifier
    ray_bytes: int | None

    async def scoring_context(self, name: str) -> ScoringContext:
        """Return what files of model ``name`` are scored with now.

        Raises:
            ModelNotAvailableError: there is no such model, or no version of it is promoted.
            UntrustedPromotionError: the promotion has no valid signature of the registry.
            ConnectionError: the registry does not answer.
        """
        model = await self.registry.model(name)
        if model is None:
            raise await self._unknown(name)
        if model.serving is None:
            raise ModelNotAvailableError(f"no version of {name!r} serves yet")
        now = model.serving
        self.verifier.check(now.ref, now.promotion_seq, now.signed)
        pipeline = await self.registry.pipeline(name, now.pipeline_digest)
        if pipeline is None:
            raise await self._unknown(name)
        return ScoringContext(now.ref, now.promotion_seq, pipeline.spec.data)

    async def _unknown(self, name: str) -> ModelNotAvailableError:
        missing = await self.registry.missing_pipeline(name) or Missing(no_pipeline(name, ()))
        return ModelNotAvailableError(missing.why, missing=missing)

    async def declared(self, dataset: DatasetView) -> Data:
        """Return how a stored dataset is written, by the spec under which it was checked.

        Raises:
            ModelNotAvailableError: the registry has no such spec.
            ConnectionError: the registry does not answer.
        """
        pipeline = await self.registry.pipeline(dataset.pipeline, dataset.pipeline_digest)
        if pipeline is None:
            raise await self._unknown(dataset.pipeline)
        return pipeline.spec.data

    async def submit(
        self,
        session: AsyncSession,
        prediction_id: UUID,
        file: ArtifactRef,
        context: ScoringContext,
        *,
        options: ScoringOptions,
        schedule: str | None = None,
        delivery: Delivery | None = None,
    ) -> bool:
        """Enqueue a stored file for scoring; False where this prediction exists already (idempotent).

        Its webhook, if it has one, waits for the prediction's end.
        """
        delivery = delivery or Delivery()
        job = ScoringJob(
            prediction_id=prediction_id,
            model=context.model,
            input=file,
            data=context.data,
            on_error=options.on_error,
            log=options.log,
            promotion_seq=context.promotion_seq,
            row_ids=True,
        )
        ref = await asyncio.to_thread(self.artifacts.put, job.model_dump_json().encode())
        crash_point("prediction.file.stored")
        runner: Runner = "ray" if self.ray_bytes is not None and file.bytes >= self.ray_bytes else "process"
        row = PredictionRow(
            prediction_id=prediction_id,
            model=context.model.model,
            version=context.model.version,
            state="queued",
            request_sha256=file.sha256,
            traceparent=current_traceparent(),
        )
        batch = BatchRow(
            prediction_id=prediction_id,
            job=ref.model_dump(mode="json"),
            runner=runner,
            schedule=schedule,
            ttl_seconds=delivery.ttl_seconds,
        )
        added = await batch_store.add(session, row, batch)
        if added and delivery.webhook is not None:
            await store.enqueue_webhooks(session, [(prediction_id, delivery.webhook)])
        return added
