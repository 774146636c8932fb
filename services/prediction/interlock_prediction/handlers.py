"""Prediction's part in the flow: keep what gateways log, and what turned out to be true."""

from faststream.rabbit import RabbitRouter
from interlock_contracts.predictions import FeedbackReceived, PredictionLogged
from interlock_messaging import Session, topology

from interlock_prediction import prediction_log

SERVICE = "prediction"

router = RabbitRouter()


@router.subscriber(topology.queue(SERVICE, PredictionLogged), topology.EXCHANGE, no_reply=True)
async def keep_logged(event: PredictionLogged, session: Session) -> None:
    """Keep the sampled rows, and count those that are not among them."""
    await prediction_log.keep_logged(session, event)


@router.subscriber(topology.queue(SERVICE, FeedbackReceived), topology.EXCHANGE, no_reply=True)
async def keep_feedback(event: FeedbackReceived, session: Session) -> None:
    """Keep what turned out to be true, whether or not the rows are known yet."""
    await prediction_log.keep_feedback(session, event)
