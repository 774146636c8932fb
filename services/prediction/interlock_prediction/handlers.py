"""Event handlers: asynchronous predictions, in batches, and promotions."""

import asyncio
from typing import Annotated

from faststream import Context
from faststream.rabbit import RabbitRouter
from interlock_contracts.models import ModelDeleted, ModelPromoted, ModelVersionDeleted
from interlock_contracts.predictions import PredictionRequested
from interlock_messaging import CausationEnvelope, Session, topology
from interlock_serving.loading import Loader
from interlock_serving.manager import ModelManager
from interlock_serving.promotion import Promotion
from interlock_serving.slot import ServedModel

from interlock_prediction import store

SERVICE = "prediction"
REPLICA = topology.process_name()
"""Name of this process: each replica consumes promotions from a queue of its own."""

router = RabbitRouter()

BATCH_QUEUES = (topology.queue(SERVICE, PredictionRequested),)
"""Consumed in batches, by :meth:`AsyncPredictor.handle_batch`."""


@router.subscriber(topology.worker_queue(SERVICE, ModelPromoted, REPLICA), topology.EXCHANGE, no_reply=True)
async def note_promotion(
    event: ModelPromoted, cause: CausationEnvelope, manager: Annotated[ModelManager[ServedModel], Context("manager")]
) -> None:
    """Serve this version from the next batch on."""
    await manager.note_promotion(Promotion.of(event), cause=cause.identity)


@router.subscriber(topology.worker_queue(SERVICE, ModelVersionDeleted, REPLICA), topology.EXCHANGE, no_reply=True)
async def drop_copy(
    event: ModelVersionDeleted,
    manager: Annotated[ModelManager[ServedModel], Context("manager")],
    loader: Annotated[Loader, Context("loader")],
) -> None:
    """Remove this host's copy of a deleted version, unless another one with the same bytes should serve."""
    if not manager.knows(event.artifact):
        await asyncio.to_thread(loader.forget, event)


@router.subscriber(topology.worker_queue(SERVICE, ModelDeleted, REPLICA), topology.EXCHANGE, no_reply=True)
async def drop_model(
    event: ModelDeleted,
    manager: Annotated[ModelManager[ServedModel], Context("manager")],
    loader: Annotated[Loader, Context("loader")],
) -> None:
    """Answer for a deleted model no longer, and remove this host's copies as far as no other has the same bytes."""
    manager.withdraw(event.model)
    for version in event.versions:
        if not manager.knows(version.artifact):
            await asyncio.to_thread(loader.forget, version)


@router.subscriber(topology.queue(SERVICE, ModelDeleted), topology.EXCHANGE, no_reply=True)
async def forget_model(event: ModelDeleted, session: Session) -> None:
    """Keep that a model was deleted: its files are cancelled and its results expire, by :class:`Expiry`."""
    await store.keep_deletion(session, event.model)
