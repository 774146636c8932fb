"""What is told of a stop before the server has finished its open answers."""

import asyncio
import signal

from interlock_runtime.process import on_shutdown_signal

from tests.support.waiting import until


async def test_whoever_holds_answers_open_hears_of_a_stop_at_once_and_so_does_the_server() -> None:
    """Or a stop would wait for every page that somebody looks at; afterwards all is as it was."""
    heard, server = asyncio.Event(), asyncio.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: server.set())
    ours = signal.getsignal(signal.SIGTERM)
    try:
        async with on_shutdown_signal(heard.set):
            signal.raise_signal(signal.SIGTERM)
            await until(heard.is_set)
        after = signal.getsignal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)

    assert server.is_set()
    assert after is ours
