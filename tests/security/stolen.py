"""What somebody holds who has read the environment of one service's process."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aio_pika
from interlock_contracts.deployment import POSTGRES, S3, services_using
from interlock_contracts.permissions import EVENTS

WITH_STORE = services_using(S3)
WITH_DATABASE = services_using(POSTGRES)
CONFIRM_SECONDS = 10


def environment(stack: dict[str, str], part: str) -> dict[str, str]:
    """Return the environment that the stack gives a part."""
    spec = Path(stack["INTERLOCK_HOME"]) / "etc" / "parts" / f"{part}.json"
    env: dict[str, str] = json.loads(spec.read_text())["env"]
    return env


@asynccontextmanager
async def broker(url: str) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    """Yield a channel with a stolen address; whatever it is refused closes it."""
    async with await aio_pika.connect(url) as connection:
        yield await connection.channel(on_return_raises=True)


async def publish(
    url: str, routing_key: str, body: bytes = b"{}", *, exchange: str | None = EVENTS, **properties: Any
) -> None:
    """Publish JSON, confirmed; ``exchange`` None is the default exchange."""
    async with broker(url) as channel:
        there = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
        message = aio_pika.Message(body, content_type="application/json", **properties)
        await there.publish(message, routing_key=routing_key, timeout=CONFIRM_SECONDS, mandatory=False)
