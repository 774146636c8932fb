"""Event handlers of each worker: load promoted versions, drop copies of deleted ones."""

import asyncio
from typing import Annotated

from faststream import Context
from faststream.rabbit import RabbitRouter
from interlock_contracts import telemetry
from interlock_contracts.models import ModelDeleted, ModelPromoted, ModelVersionDeleted
from interlock_messaging import CausationEnvelope, topology
from interlock_serving.loading import Loader
from interlock_serving.manager import ModelManager
from interlock_serving.promotion import Promotion
from opentelemetry import trace

from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.models.last_known import PromotionCache

SERVICE = "gateway"
WORKER = topology.process_name()
"""This process: each imports this module for itself, so each has its own queue."""

router = RabbitRouter()


@router.subscriber(topology.worker_queue(SERVICE, ModelPromoted, WORKER), topology.EXCHANGE, no_reply=True)
async def load_promoted(
    event: ModelPromoted, cause: CausationEnvelope, manager: Annotated[ModelManager[BatchedModel], Context("manager")]
) -> None:
    """Load, verify, warm up and swap."""
    if event.run_id is not None:
        trace.get_current_span().set_attribute(telemetry.RUN_ID, str(event.run_id))
    await manager.apply_promotion(Promotion.of(event), cause=cause.identity)


@router.subscriber(topology.worker_queue(SERVICE, ModelVersionDeleted, WORKER), topology.EXCHANGE, no_reply=True)
async def drop_copy(
    event: ModelVersionDeleted,
    manager: Annotated[ModelManager[BatchedModel], Context("manager")],
    loader: Annotated[Loader, Context("loader")],
) -> None:
    """Remove this host's copy of a deleted version, unless another one with the same bytes should serve."""
    if not manager.knows(event.artifact):
        await asyncio.to_thread(loader.forget, event)


@router.subscriber(topology.worker_queue(SERVICE, ModelDeleted, WORKER), topology.EXCHANGE, no_reply=True)
async def drop_model(
    event: ModelDeleted,
    manager: Annotated[ModelManager[BatchedModel], Context("manager")],
    loader: Annotated[Loader, Context("loader")],
    last_known: Annotated[PromotionCache, Context("last_known")],
) -> None:
    """Serve a deleted model no longer, and remove this host's copies as far as no other model has the same bytes."""
    manager.withdraw(event.model)
    await last_known.forget(frozenset({event.model}))
    for version in event.versions:
        if not manager.knows(version.artifact):
            await asyncio.to_thread(loader.forget, version)
