"""Run one service process, and its loops."""

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from types import FrameType

import uvicorn
from litestar import Litestar

from interlock_runtime.connections import LimitedHttpProtocol
from interlock_runtime.limits import ConcurrencyLimitMiddleware
from interlock_runtime.metrics import HttpMetricsMiddleware
from interlock_runtime.settings import HttpSettings

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 10

YOUNG_OBJECTS = 20_000
"""Allocations between two collections of cyclic garbage; Python's 700 are made by a handful of messages, which were
looked through again and again while they were still needed: 6 % of the processor time of a busy service."""


def serve(app: Litestar, settings: HttpSettings) -> None:
    """Serve ``app`` until SIGTERM or SIGINT, then let requests and messages in flight finish."""
    gc.freeze()  # modules stay until the end: looking through them again and again was a tenth of a busy service's time
    gc.set_threshold(YOUNG_OBJECTS)
    gc.enable()  # see start
    uvicorn.run(
        HttpMetricsMiddleware(ConcurrencyLimitMiddleware(app, settings.request_room)),
        host=settings.host,
        port=settings.port,
        http=LimitedHttpProtocol,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def _stop_handler() -> Callable[[int, FrameType | None], object] | None:
    """Return what SIGTERM calls; None where there is nothing to be put before it: a thread, or no server yet."""
    found = signal.getsignal(signal.SIGTERM)
    return found if threading.current_thread() is threading.main_thread() and callable(found) else None


@contextmanager
def starting() -> Iterator[None]:
    """While the block lasts, SIGTERM ends the process at once; then it is the server's again.

    The server would first wait for the start to come to its end, and a start waits as long as a database is away.
    Nothing is in flight meanwhile, and a migration that is cut off is rolled back.
    """
    before, waiting = _stop_handler(), True
    if before is None:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if waiting:
            logger.info("ends before it has started, as it was told to")
            logging.shutdown()
            os._exit(0)
        before(number, frame)

    signal.signal(signal.SIGTERM, stop)  # it stays, for others may have been put before it meanwhile
    try:
        yield
    finally:
        waiting = False


@asynccontextmanager
async def on_shutdown_signal(on_signal: Callable[[], None]) -> AsyncIterator[None]:
    """Call ``on_signal`` at the first signal to stop: the server itself waits for open answers first."""
    loop, before = asyncio.get_running_loop(), _stop_handler()
    if before is None:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(on_signal)
        before(number, frame)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@asynccontextmanager
async def run_periodically(
    step: Callable[[], Awaitable[object]], *, seconds: float, woken: asyncio.Event | None = None
) -> AsyncIterator[None]:
    """Run ``step`` again and again, ``seconds`` apart, while the block lasts; a failure is logged and tried again.

    Where ``woken`` is set in between, the next run begins at once.
    """
    woken = woken or asyncio.Event()

    async def forever() -> None:
        while True:
            woken.clear()
            try:
                await step()
            except (ConnectionError, TimeoutError) as error:
                logger.warning("%s waits for a dependency: %s", step.__qualname__, error)
            except Exception:
                logger.exception("%s failed", step.__qualname__)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await woken.wait()

    task = asyncio.create_task(forever())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
