"""Wires the models of one worker: loader, manager, unload requests, status events and reconciler."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from interlock_artifacts import ArtifactStore
from interlock_artifacts.signing import SignatureVerifier
from interlock_messaging import Bus
from interlock_messaging.crash_points import crash_point
from interlock_modeling import Model
from interlock_modeling.engines import prepare
from interlock_runtime.clients import RegistryClient
from interlock_runtime.process import run_periodically
from interlock_serving.cache import Cache
from interlock_serving.eviction import ModelMemory
from interlock_serving.loading import Loader, Validate
from interlock_serving.manager import ModelManager
from interlock_serving.promotion import Promotion
from interlock_serving.smoke_test.client import Validator

from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.models.last_known import PromotionCache
from interlock_gateway.models.reconcile import Reconciler
from interlock_gateway.models.status_events import StatusPublisher
from interlock_gateway.models.unload_requests import POLL_SECONDS, UnloadRequests
from interlock_gateway.settings import GatewaySettings


class WorkerModels:
    """The models of the process named ``worker``; ``validate`` takes the place of the validator process in tests."""

    def __init__(
        self,
        settings: GatewaySettings,
        worker: str,
        *,
        bus: Bus,
        registry: RegistryClient,
        artifacts: ArtifactStore,
        validate: Validate | None,
    ) -> None:
        self._validator = Validator(settings.cache_dir, seconds=settings.gateway_validation_seconds)
        self._validates = validate is None
        self.loader = Loader(Cache(artifacts, settings.cache_dir), validate or self._validator.validate)
        verifier = SignatureVerifier(settings.signing_public_key)
        self.last_known = PromotionCache(settings.state_dir, settings.registry_url, verifier, settings.stage)
        status = StatusPublisher(worker, bus)

        def serve(promotion: Promotion, model: Model) -> BatchedModel:
            crash_point("gateway.swap.loaded")
            return BatchedModel(
                promotion.ref.version, promotion.seq, model, promotion.trace, limit=settings.predict_room
            )

        self.manager = ModelManager(
            worker,
            self.loader,
            verifier,
            ModelMemory(settings.gateway_model_memory, "INTERLOCK_GATEWAY_MODEL_MEMORY"),
            serve=serve,
            report=status.report,
            remember=self.last_known.remember,
            stage=settings.stage,
        )
        self.unload_requests = UnloadRequests(settings.state_dir, self.manager)
        self.reconciler = Reconciler(
            self.manager, status, self.last_known, registry, bus, seconds=settings.gateway_reconcile_seconds
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Load and serve what the registry promotes while the block lasts; it begins with models where possible."""
        try:
            async with AsyncExitStack() as stack:
                if self._validates:
                    # Before requests come: it would hold them up for a tenth of a second.
                    await asyncio.to_thread(prepare)
                    gc.collect()
                    gc.freeze()  # what is there now stays; scanning all of it every second held requests up for 60 ms
                await stack.enter_async_context(run_periodically(self.unload_requests.apply, seconds=POLL_SECONDS))
                await stack.enter_async_context(self.reconciler.reconcile_loop())
                await stack.enter_async_context(self._validating())
                await stack.enter_async_context(self.reconciler.consume_promotions())
                yield
        finally:
            self.manager.close()

    @asynccontextmanager
    async def _validating(self) -> AsyncIterator[None]:
        warming = asyncio.create_task(asyncio.to_thread(self._warm))
        try:
            yield
        finally:
            await asyncio.to_thread(self._validator.close)
            await warming

    def _warm(self) -> None:
        if self._validates and self._validator.warm():
            self.loader.warm_validator()
