"""Event handler: the projection of every event but the ephemeral ones, in the order of publishing."""

from collections.abc import Sequence
from datetime import UTC, datetime

from faststream.rabbit import RabbitRouter
from interlock_contracts.catalog import OBSERVER
from interlock_messaging import topology
from interlock_messaging.batch_consumer import BatchMessage
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_console import runs

SERVICE = OBSERVER

router = RabbitRouter()

BATCH_QUEUES = (topology.observed(),)
"""Consumed in batches, by :func:`project`: concurrent handlers would lose the order."""


async def project(session: AsyncSession, batch: Sequence[BatchMessage]) -> None:
    """Project events of any type into the read model; pages are notified after the commit."""
    for message in batch:
        await runs.project_event(session, message.event, message.envelope, datetime.now(UTC))
