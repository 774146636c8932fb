"""Wait for a condition with a deadline, instead of sleeping and hoping."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


async def until(look: Callable[[], Any], *, seconds: float = 20) -> Any:
    """Return the first true value that ``look``, plain or async, gives; TimeoutError after ``seconds``."""
    async with asyncio.timeout(seconds):
        while True:
            found = look()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.05)
