"""Prediction's part in the flow."""

from faststream.rabbit import RabbitRouter

SERVICE = "prediction"

router = RabbitRouter()
