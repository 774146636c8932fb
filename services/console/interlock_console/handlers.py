"""The console's part in the flow: keep every event that is said, but for the frequent ones."""

from datetime import UTC, datetime

from faststream.rabbit import RabbitRouter
from interlock_contracts.catalog import OBSERVER
from interlock_contracts.event import Event
from interlock_messaging import Cause, Session, topology

from interlock_console import store
from interlock_console.domain import columns

SERVICE = OBSERVER

router = RabbitRouter()


@router.subscriber(topology.observed(), topology.EXCHANGE, no_reply=True)
async def keep(event: Event, cause: Cause, session: Session) -> None:
    """Keep an event of any type."""
    await store.keep_event(session, columns(event, cause, datetime.now(UTC)))
