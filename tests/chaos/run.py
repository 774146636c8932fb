"""One run of chaos: load and faults at once, then peace, then the verdict."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import aio_pika.exceptions
import asyncpg  # type: ignore[import-untyped]
import httpx
from interlock_contracts.permissions import PING

from tests.chaos.bus import Consumer, Publisher
from tests.chaos.faults import Faults, plan
from tests.chaos.ledger import Counts, Kind, Ledger
from tests.chaos.scene import Scene
from tests.chaos.stack import Stack
from tests.chaos.workload import Workload
from tests.support.waiting import until

REPEATED = 0.05
IDLE_SECONDS = 5.0
_AWAY = (OSError, TimeoutError, KeyError, httpx.HTTPError, asyncpg.PostgresError, aio_pika.exceptions.AMQPError)


@dataclass(frozen=True)
class Outcome:
    """What a run came to; ``left`` says what was still under way when patience ended, nothing where all was done."""

    seed: int
    seconds: float
    kinds: dict[Kind, Counts]
    faults: dict[str, int]
    repeats: int
    drain_seconds: float
    dead_letters: dict[str, int]
    left: str
    wrong: list[str]
    refusals: dict[str, int]

    @property
    def total(self) -> Counts:
        """Return the counts of all kinds together."""
        return sum(self.kinds.values(), Counts())

    @property
    def sound(self) -> bool:
        """Return whether nothing was lost, done twice, unasked for, given up or left lying."""
        return self.total.sound and not self.dead_letters and not self.left

    def table(self) -> str:
        """Return the counters as lines for people."""
        names = list(asdict(Counts()))
        head = f"{'':<12}" + "".join(f"{name:>16}" for name in names)
        rows = [*self.kinds.items(), ("all", self.total)]
        lines = [head, *(_line(kind, asdict(counts).values()) for kind, counts in rows)]
        faults = sum(count for name, count in self.faults.items() if not name.endswith("in vain"))
        dead = ", ".join(f"{queue}: {count}" for queue, count in self.dead_letters.items()) or "none"
        lines += [
            f"seed {self.seed}, {self.seconds:.0f} s, {faults} faults, {self.repeats} messages repeated",
            f"drained in {self.drain_seconds:.1f} s",
            f"dead letters: {dead}",
            *([f"not done: {self.left}"] if self.left else []),
            *self.wrong[:10],
            *(f"{count} x {why}" for why, count in list(self.refusals.items())[:8]),
        ]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return it all as JSON data."""
        return asdict(self) | {"total": asdict(self.total), "sound": self.sound}


def _line(kind: str, numbers: Any) -> str:
    return f"{kind:<12}" + "".join(f"{number:>16}" for number in numbers)


@dataclass
class Lab:
    """One prepared run: models that serve, a consumer of all events, and a ledger that knows where all of it began."""

    stack: Stack
    ledger: Ledger
    publisher: Publisher
    consumer: Consumer
    scene: Scene
    faults: Faults

    async def drained(self, *, seconds: float) -> tuple[float, str]:
        """Wait until nothing is under way; return how long it took, and what was left when patience ended.

        What has no effect yet is given up as lost once the bus has been idle for ``IDLE_SECONDS``.
        """
        begin = idle_since = time.monotonic()
        left = ""

        async def look() -> bool:
            nonlocal left, idle_since
            try:
                left = await self._under_way()
            except _AWAY as error:
                left = f"{type(error).__name__}: {error}"
            if left:
                idle_since = time.monotonic()
            return not left and (not self.ledger.missing() or time.monotonic() - idle_since > IDLE_SECONDS)

        try:
            await until(look, seconds=seconds)
        except TimeoutError:
            return time.monotonic() - begin, left
        return time.monotonic() - begin, ""

    async def _under_way(self) -> str:
        await self.stack.healthy()
        if copies := self.consumer.copies:
            return f"{copies} events are to be said again"
        # Our own consumer's queue is left out: a repeat that comes late changes nothing. Nor does a ping.
        held = await self.stack.messages()
        idle = ("chaos.", PING)
        if busy := {name: n for name, n in held.items() if not name.endswith(".dead") and not name.startswith(idle)}:
            return f"messages wait: {busy}"
        if unsaid := {name: age for name, age in (await self.stack.unsaid()).items() if age > 0}:
            return f"events wait to be published: {unsaid}"
        return ""

    async def outcome(self, *, seed: int, seconds: float, drained: tuple[float, str]) -> Outcome:
        """Ask the services what they have done, and compare it with what was asked of them."""
        for model, after in (await self.scene.promotions()).items():
            self.ledger.promotions[model] = (self.ledger.promotions[model][0], after)
        self.ledger.truths = await self.scene.truths()
        letters = {name: n for name, n in (await self.stack.messages()).items() if name.endswith(".dead")}
        return Outcome(
            seed=seed,
            seconds=seconds,
            kinds=self.ledger.verdict(),
            faults=dict(self.faults.done),
            repeats=self.ledger.repeats,
            drain_seconds=drained[0],
            dead_letters=letters,
            left=drained[1],
            wrong=[text for _, text in self.ledger.wrong],
            refusals=self.ledger.refusals(),
        )


@asynccontextmanager
async def prepared(stack: Stack, *, seed: int, repeated: float = REPEATED) -> AsyncIterator[Lab]:
    """Make the models, and record all events about them."""
    ledger, publisher = Ledger(), Publisher(stack)
    consumer = Consumer(stack, ledger, publisher, seed=seed, repeated=repeated)
    consuming = asyncio.create_task(consumer.consume())
    repeating = asyncio.create_task(consumer.repeat())
    faults = Faults(stack)
    try:
        await asyncio.wait_for(consumer.listening.wait(), 30)
        scene = await Scene.made(stack, publisher)
        ledger.models |= set(scene.models)
        ledger.promotions = {model: (seq, seq) for model, seq in (await scene.promotions()).items()}
        yield Lab(stack, ledger, publisher, consumer, scene, faults)
    finally:
        faults.mend()
        for task in (consuming, repeating):
            task.cancel()
        await asyncio.gather(consuming, repeating, return_exceptions=True)
        await publisher.close()
        await consumer.close()


async def chaos(
    stack: Stack,
    *,
    seed: int,
    seconds: float,
    events: int,
    gap: float,
    patience: float,
) -> Outcome:
    """Let users work for ``seconds`` while faults happen, then wait at most ``patience`` seconds for the end of it."""
    begin = time.monotonic()
    async with prepared(stack, seed=seed) as lab:
        work = Workload(lab.scene, lab.ledger, lab.publisher, lab.consumer, seed=seed)
        destroying = asyncio.create_task(lab.faults.run(plan(seed, seconds=seconds, gap=gap)))
        try:
            await work.run(seconds=seconds, events=events)
            await destroying
        finally:
            destroying.cancel()
            await asyncio.gather(destroying, return_exceptions=True)
            lab.faults.mend()
        peace = time.monotonic()
        drained = await lab.drained(seconds=patience)
        return await lab.outcome(seed=seed, seconds=peace - begin, drained=drained)
