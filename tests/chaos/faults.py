"""What goes wrong: a plan that follows from its seed, and the doing of it to real processes."""

import asyncio
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import asyncpg  # type: ignore[import-untyped]

from tests.benchmarks.serving.processes import tree
from tests.chaos.stack import SERVERS, SERVICES, Stack

Deed = Literal["kill", "pause", "drop"]
LONGEST_PAUSE = 5.0

DECK: tuple[tuple[Deed, str], ...] = (
    *(("kill", name) for name in (*SERVERS, *SERVICES, "gateway worker")),
    *(("pause", name) for name in (*SERVERS, *SERVICES)),
    *(("drop", name) for name in ("rabbitmq", "postgres")),
)
"""Every fault there is; a plan deals all of them before it shuffles them anew."""


@dataclass(frozen=True)
class Fault:
    """``at`` seconds after the beginning; a pause lasts ``seconds``."""

    at: float
    deed: Deed
    part: str
    seconds: float

    def __str__(self) -> str:
        lasts = f" {self.seconds:.1f} s" if self.deed == "pause" else ""
        return f"{self.at:6.1f} s  {self.deed} {self.part}{lasts}"


def plan(seed: int, *, seconds: float, gap: float) -> list[Fault]:
    """Return the faults of a run: the same for the same seed, about ``gap`` seconds apart."""
    return list(_dealt(random.Random(seed), seconds, gap))


def _dealt(chance: random.Random, seconds: float, gap: float) -> Iterator[Fault]:
    at, deck = chance.uniform(0.5, gap), list[tuple[Deed, str]]()
    while at < seconds:
        if not deck:
            deck = list(DECK)
            chance.shuffle(deck)
        deed, part = deck.pop()
        yield Fault(at, deed, part, chance.uniform(1.0, LONGEST_PAUSE))
        at += chance.uniform(0.5, 1.5) * gap


class Faults:
    """Does what a plan says to the processes of one stack; ``done`` counts what really was done."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.done: Counter[str] = Counter()
        self._paused: set[int] = set()

    async def run(self, faults: list[Fault]) -> None:
        """Do them in turn; pauses overlap with what comes after them."""
        begin = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                await asyncio.sleep(max(0.0, begin + fault.at - time.monotonic()))
                group.create_task(self._do(fault))

    def mend(self) -> None:
        """Let whatever is still paused go on."""
        for pid in self._paused:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._paused.clear()

    async def _do(self, fault: Fault) -> None:
        try:
            match fault.deed:
                case "kill":
                    await asyncio.to_thread(self._kill, fault.part)
                case "pause":
                    await self._pause(fault)
                case "drop":
                    await self._drop(fault.part)
        except (OSError, TimeoutError, asyncpg.PostgresError, subprocess.TimeoutExpired) as error:
            self.done[f"{fault.deed} {fault.part}, in vain"] += 1
            print(f"{fault}: in vain, {type(error).__name__}: {error}"[:200])
            return
        self.done[f"{fault.deed} {fault.part}"] += 1
        print(fault)

    def _kill(self, part: str) -> None:
        os.kill(self._pid(part), signal.SIGKILL)

    async def _pause(self, fault: Fault) -> None:
        pids = set(await asyncio.to_thread(lambda: tree(self._pid(fault.part))))
        self._paused |= pids
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            for pid in pids & self._paused:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            self._paused -= pids

    async def _drop(self, part: str) -> None:
        if part == "rabbitmq":
            await asyncio.to_thread(self._stack.rabbitmqctl, "close_all_connections", "--global", "chaos")
            return
        others = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
        await self._stack.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")

    def _pid(self, part: str) -> int:
        name, _, worker = part.partition(" ")
        pid = self._stack.parts.pid(name)
        if pid == 0:
            raise ProcessLookupError(f"{name} is not running")
        if not worker:
            return pid
        children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        workers = [each for each in children if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]
        if not workers:
            raise ProcessLookupError(f"{name} has no workers")
        return workers[0]
