"""From a file to a prediction that waits: with the version and the dialect that hold when it is taken in."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from interlock_artifacts import ArtifactStore
from interlock_artifacts.signing import SignatureVerifier
from interlock_contracts.pipeline import Data
from interlock_contracts.refs import ArtifactRef, ModelRef
from interlock_contracts.scoring import OnError, ScoringJob
from interlock_messaging.crash_points import crash_point
from interlock_messaging.outbox import current_traceparent
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_prediction.batch import store as batch_store
from interlock_prediction.batch.peers import Peers
from interlock_prediction.batch.store import BatchRow, Runner
from interlock_prediction.store import PredictionRow


class NothingServesError(LookupError):
    """There is no such model, or no version of it serves; ``unknown`` tells which."""

    def __init__(self, name: str, *, unknown: bool) -> None:
        self.unknown = unknown
        super().__init__(
            f"no pipeline is called {name!r}; apply one first" if unknown else f"no version of {name!r} serves yet"
        )


@dataclass(frozen=True)
class Terms:
    """What answers a model's files now: the version that serves, and how the newest spec says that files are read."""

    model: ModelRef
    data: Data


@dataclass(frozen=True)
class Taking:
    """Takes files in; those of ``ray_bytes`` or more are scored on the cluster, where there is one."""

    artifacts: ArtifactStore
    peers: Peers
    trust: SignatureVerifier
    ray_bytes: int | None

    async def terms(self, name: str) -> Terms:
        """Return what answers a model's files now.

        Raises:
            NothingServesError: there is no such model, or it has no version that serves.
            UntrustedPromotionError: the registry has not signed what serves.
            ConnectionError: the registry does not answer.
        """
        pipeline, model = await asyncio.gather(self.peers.pipeline(name), self.peers.model(name))
        if pipeline is None or model is None:
            raise NothingServesError(name, unknown=True)
        if model.serving is None:
            raise NothingServesError(name, unknown=False)
        now = model.serving
        self.trust.check(now.ref, now.promotion_seq, now.signed)
        return Terms(now.ref, pipeline.spec.data)

    async def take(
        self,
        session: AsyncSession,
        prediction_id: UUID,
        file: ArtifactRef,
        terms: Terms,
        *,
        on_error: OnError,
        schedule: str | None = None,
    ) -> bool:
        """Let a stored file wait for its answer; False where this prediction is known already."""
        job = ScoringJob(prediction_id=prediction_id, model=terms.model, input=file, data=terms.data, on_error=on_error)
        ref = await asyncio.to_thread(self.artifacts.put, job.model_dump_json().encode())
        crash_point("prediction.file.stored")
        runner: Runner = "ray" if self.ray_bytes is not None and file.bytes >= self.ray_bytes else "process"
        row = PredictionRow(
            prediction_id=prediction_id,
            model=terms.model.model,
            version=terms.model.version,
            state="queued",
            request_sha256=file.sha256,
            traceparent=current_traceparent(),
        )
        batch = BatchRow(prediction_id=prediction_id, job=ref.model_dump(mode="json"), runner=runner, schedule=schedule)
        return await batch_store.add(session, row, batch)
