"""Shutdown signals before the server has finished its open answers, and loops that are woken."""

import asyncio
import signal
import subprocess
import sys

import pytest
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


SERVICE = """if True:
    import asyncio, signal
    from contextlib import asynccontextmanager
    from litestar import Litestar
    from interlock_runtime.process import serve, starting
    from interlock_runtime.settings import HttpSettings

    @asynccontextmanager
    async def life(_):
        try:
            with starting():
                if {waits}:
                    print("waiting", flush=True)
                    await asyncio.sleep(3600)
            print("started", flush=True)
            yield
        finally:
            print("closed", flush=True)

    serve(Litestar(lifespan=[life]), HttpSettings.model_construct(host="127.0.0.1", port=0))
"""


@pytest.mark.parametrize(("waits", "said", "last"), [(True, "waiting", ""), (False, "started", "closed\n")])
def test_a_service_ends_when_it_is_told_to_also_while_it_waits_to_start(*, waits: bool, said: str, last: str) -> None:
    """A database that is away would otherwise make every stop last until the process is killed."""
    command = [sys.executable, "-c", SERVICE.format(waits=waits)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == f"{said}\n"
        service.terminate()
        rest, _ = service.communicate(timeout=120)

    assert rest == last
    assert service.returncode in {0, -signal.SIGTERM}
