"""Events over RabbitMQ: topology, inbox, outbox, relay, retry, dead letters."""

from interlock_messaging.batches import Batched
from interlock_messaging.bus import Bus
from interlock_messaging.delivery import Cause, PoisonError, Session
from interlock_messaging.outbox import say

__all__ = ["Batched", "Bus", "Cause", "PoisonError", "Session", "say"]
