"""Connect to the broker without leaving behind a connection that reconnects for ever."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from faststream.rabbit import RabbitBroker

T = TypeVar("T")


async def to_its_end(connecting: Coroutine[Any, Any, T]) -> T:
    """Await a first attempt to connect, to its end also where the waiting is cancelled.

    An aio-pika connection whose first attempt is cancelled tries again for ever, takes no further cancellation, and
    keeps its process from ending; one that fails gives up. The broker's own time limit bounds the wait.
    """
    attempt = asyncio.ensure_future(connecting)
    try:
        return await asyncio.shield(attempt)
    except asyncio.CancelledError:
        await asyncio.gather(attempt, return_exceptions=True)
        raise


async def connected(broker: RabbitBroker) -> Any:
    """Return the broker's connection, made now if there is none; None for a broker in a test's own memory.

    Raises:
        ConnectionError, TimeoutError: the broker cannot be reached.
        aio_pika.exceptions.AuthenticationError: it refuses the login.
    """
    return await to_its_end(broker.connect())
