"""The console's part in the flow: keep every event that is said, but for the frequent ones."""

from datetime import UTC, datetime

from faststream.rabbit import RabbitRouter
from interlock_contracts.catalog import OBSERVER
from interlock_contracts.event import Event
from interlock_messaging import Cause, Session, topology

from interlock_console import runs

SERVICE = OBSERVER

router = RabbitRouter()


@router.subscriber(topology.observed(), topology.EXCHANGE, no_reply=True)
async def keep(event: Event, cause: Cause, session: Session) -> None:
    """Keep an event of any type, and what it means for its run; who looks at it is told once that is committed."""
    await runs.keep(session, event, cause, datetime.now(UTC))
