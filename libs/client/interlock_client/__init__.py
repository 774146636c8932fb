"""Interlock from Python: ``Client`` waits, ``AsyncClient`` is awaited."""

from interlock_client.async_client import AsyncClient
from interlock_client.client import Client
from interlock_client.errors import (
    ConflictError,
    EndedError,
    InterlockError,
    InvalidError,
    NotAllowedError,
    NotConfiguredError,
    NotFoundError,
    RefusedError,
    RejectedError,
    StillGoingError,
    UnavailableError,
)
from interlock_client.flows import Request
from interlock_client.operations.predictions import Answer, Prediction, PredictionWarning
from interlock_client.views import Views

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "ConflictError",
    "EndedError",
    "InterlockError",
    "InvalidError",
    "NotAllowedError",
    "NotConfiguredError",
    "NotFoundError",
    "Prediction",
    "PredictionWarning",
    "RefusedError",
    "RejectedError",
    "Request",
    "StillGoingError",
    "UnavailableError",
    "Views",
]
