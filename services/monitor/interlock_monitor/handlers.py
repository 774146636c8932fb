"""Event handlers: the prediction log and ground truth."""

from faststream.rabbit import RabbitRouter
from interlock_contracts.models import ModelDeleted
from interlock_contracts.predictions import FeedbackReceived, PredictionLogged
from interlock_messaging import Session, topology

from interlock_monitor import store

SERVICE = "monitor"

router = RabbitRouter()


async def record_logged(event: PredictionLogged, session: Session) -> None:
    """Record the sampled rows, and count those that are not among them."""
    await store.record_logged(session, event)


async def record_feedback(event: FeedbackReceived, session: Session) -> None:
    """Record ground truth, whether or not its predictions are logged yet."""
    await store.record_feedback(session, event)


@router.subscriber(topology.queue(SERVICE, ModelDeleted), topology.EXCHANGE, no_reply=True)
async def forget_model(event: ModelDeleted, session: Session) -> None:
    """Keep that a model was deleted: what is logged of it goes, in chunks, and so does what is published later."""
    await store.keep_deletion(session, event.model, by=event.by)


for _queue in topology.queues(SERVICE, PredictionLogged):
    router.subscriber(_queue, topology.EXCHANGE, no_reply=True)(record_logged)
for _queue in topology.queues(SERVICE, FeedbackReceived):
    router.subscriber(_queue, topology.EXCHANGE, no_reply=True)(record_feedback)
