"""The console's part in the flow: keep every event that is said, but for the frequent ones, in the order said."""

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
"""Heard many at a time, by :func:`keep`: several handled at once would be in no order."""


async def keep(session: AsyncSession, batch: Sequence[BatchMessage]) -> None:
    """Keep events of any type, and what they mean for their runs; who looks is told once that is committed."""
    for message in batch:
        await runs.keep(session, message.event, message.envelope, datetime.now(UTC))
