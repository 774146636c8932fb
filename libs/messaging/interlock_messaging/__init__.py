"""Events over RabbitMQ: topology, inbox, outbox, relay, retry, dead letters."""

from interlock_messaging.batch_consumer import BatchSubscription
from interlock_messaging.bus import Bus
from interlock_messaging.delivery import CausationEnvelope, PoisonError, Publisher, Session
from interlock_messaging.outbox import enqueue

__all__ = ["BatchSubscription", "Bus", "CausationEnvelope", "PoisonError", "Publisher", "Session", "enqueue"]
