"""Shutdown signals before the server has finished its open answers, and loops that are woken."""

import asyncio
import signal

from interlock_runtime.process import on_shutdown_signal, run_periodically

from tests.support.waiting import until


async def test_a_stop_reaches_open_answers_and_the_server_at_once() -> None:
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


async def test_a_loop_that_is_woken_runs_at_once_also_where_it_was_busy_when_it_was_woken() -> None:
    """What is added while it works, after it has looked, must not wait for the next interval."""
    woken, go_on = asyncio.Event(), asyncio.Event()
    runs: list[int] = []

    async def step() -> None:
        runs.append(len(runs))
        if len(runs) == 2:
            await go_on.wait()

    async with run_periodically(step, seconds=3600, woken=woken):
        await until(lambda: len(runs) == 1)
        woken.set()
        await until(lambda: len(runs) == 2)
        woken.set()
        go_on.set()
        await until(lambda: len(runs) == 3)


async def test_a_failure_is_followed_by_the_next_run() -> None:
    """A loop outlives what one run meets."""
    runs: list[int] = []

    async def step() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise (ConnectionError if len(runs) == 1 else ValueError)("no")

    async with run_periodically(step, seconds=0.001):
        await until(lambda: len(runs) >= 3)
