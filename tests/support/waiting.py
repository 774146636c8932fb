"""Wait for a condition with a deadline, instead of sleeping and hoping."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

PAUSE_SECONDS = (0.05, 0.25)
"""Between two looks, at first and at most. What is waited for needs the processors that looking takes from it."""
SHARE = 0.05
"""Of the time waited so far, what the next pause may add to it."""


async def until(look: Callable[[], Any], *, seconds: float = 20) -> Any:
    """Return the first true value that ``look``, plain or async, gives; TimeoutError after ``seconds``.

    The longer it takes, the longer the pauses between two looks.
    """
    begin = time.monotonic()
    shortest, longest = PAUSE_SECONDS
    async with asyncio.timeout(seconds):
        while True:
            found = look()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(min(max(SHARE * (time.monotonic() - begin), shortest), longest))
