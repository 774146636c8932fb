"""Prediction's part in the flow: answer what was asked, keep what gateways log, and what turned out to be true."""

import os
import secrets
import socket
from typing import Annotated

from faststream import Context
from faststream.rabbit import RabbitRouter
from interlock_contracts.models import ModelPromoted
from interlock_contracts.predictions import FeedbackReceived, PredictionLogged, PredictionRequested
from interlock_messaging import Session, topology

from interlock_prediction import prediction_log
from interlock_prediction.models import Models

SERVICE = "prediction"
REPLICA = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
"""This process: each replica hears of promotions through a queue of its own."""

router = RabbitRouter()

BATCHED = (topology.queue(SERVICE, PredictionRequested),)
"""Heard many at a time, by :meth:`Answering.answer`."""


@router.subscriber(topology.worker_queue(SERVICE, ModelPromoted, REPLICA), topology.EXCHANGE, no_reply=True)
async def note_promotion(event: ModelPromoted, models: Annotated[Models, Context("models")]) -> None:
    """Answer with this version from the next batch on."""
    await models.promoted(event.ref, event.promotion_seq, event.signed)


@router.subscriber(topology.queue(SERVICE, PredictionLogged), topology.EXCHANGE, no_reply=True)
async def keep_logged(event: PredictionLogged, session: Session) -> None:
    """Keep the sampled rows, and count those that are not among them."""
    await prediction_log.keep_logged(session, event)


@router.subscriber(topology.queue(SERVICE, FeedbackReceived), topology.EXCHANGE, no_reply=True)
async def keep_feedback(event: FeedbackReceived, session: Session) -> None:
    """Keep what turned out to be true, whether or not the rows are known yet."""
    await prediction_log.keep_feedback(session, event)
