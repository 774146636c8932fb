"""Swaps under load, watched from outside: what clients see while one version after the other is promoted."""

import asyncio
import json
import statistics
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from interlock_contracts.models import ModelServing
from interlock_contracts.refs import ModelRef

from tests.support.gateway_app import KEY
from tests.support.gateway_process import Gateway, ModelEvents
from tests.support.stored_models import ROW
from tests.support.waiting import until


@dataclass(frozen=True)
class Answer:
    """One answer, as one connection got it; times are of the monotonic clock."""

    sent: float
    at: float
    status: int
    version: int | None
    prediction: float | None


@dataclass
class Watched:
    """What clients saw: by connection, all answers in order; and when each version was promoted.

    ``told`` is the version that predictions tell, where a version has the bytes of another.
    """

    promoted: dict[int, float] = field(default_factory=dict)
    converged: dict[int, float] = field(default_factory=dict)
    load_seconds: dict[int, float] = field(default_factory=dict)
    connections: list[list[Answer]] = field(default_factory=list)
    told: dict[int, int] = field(default_factory=dict)

    @property
    def answers(self) -> list[Answer]:
        """Return all answers in the order in which they came."""
        return sorted((each for seen in self.connections for each in seen), key=lambda each: each.at)

    def failures(self) -> list[Answer]:
        """Return what was not answered with a prediction of the very bytes that the version named stands for."""
        return [
            each
            for each in self.answers
            if each.status != 200 or int(each.prediction or 0) // 1000 != self.told.get(each.version or 0, each.version)
        ]

    def backwards(self) -> int:
        """Return how often a connection got an older version after a newer one, or anybody did after all had it."""
        steps = [
            (before.version or 0) > (now.version or 0) for seen in self.connections for before, now in pairwise(seen)
        ]
        late = [
            each
            for each in self.answers
            if any(each.sent > at and (each.version or 0) < v for v, at in self.converged.items())
        ]
        return sum(steps) + len(late)

    def silence(self, begin: float = 0.0, end: float = float("inf")) -> float:
        """Return the longest time in which nobody got an answer, in seconds, of those that began in the span given."""
        pauses = (now.at - before.at for before, now in pairwise(self.answers) if begin <= before.at < end)
        return max(pauses, default=0.0)

    def slowest_near(self, version: int) -> float:
        """Return the longest wait for an answer between a promotion and the end of its swap, in seconds."""
        near = (self.promoted[version], self.converged[version])
        waits = [each.at - each.sent for each in self.answers if each.at > near[0] and each.sent < near[1]]
        return max(waits, default=0.0)

    def first(self, version: int) -> float:
        """Return how many seconds after its promotion a version's first answer came."""
        return next(each.at for each in self.answers if each.version == version) - self.promoted[version]

    def table(self, name: str) -> str:
        """Return the measurements as lines for people."""
        versions = [version for version in self.promoted if version > min(self.promoted)]
        waits = sorted(each.at - each.sent for each in self.answers)
        firsts, worst = [self.first(each) for each in versions], [self.slowest_near(each) for each in versions]
        loads = [self.load_seconds[each] for each in versions]
        begin = self.promoted[versions[0]]
        rows = (
            ("swaps", f"{len(versions)}"),
            ("requests, of them failed", f"{len(waits)}, {len(self.failures())}"),
            ("older after newer", f"{self.backwards()}"),
            ("promoted -> first new answer, p50 and max", f"{_ms(statistics.median(firsts))}, {_ms(max(firsts))}"),
            ("load as the workers say, p50 and max", f"{_ms(statistics.median(loads))}, {_ms(max(loads))}"),
            ("request p50, p99 of all", f"{_ms(waits[len(waits) // 2])}, {_ms(waits[len(waits) * 99 // 100])}"),
            ("slowest request near a swap, p50 and max", f"{_ms(statistics.median(worst))}, {_ms(max(worst))}"),
            (
                "longest silence, and before the first swap",
                f"{_ms(self.silence(begin))}, {_ms(self.silence(end=begin))}",
            ),
        )
        return f"\n{name}\n" + "\n".join(f"  {what:<45}{value}" for what, value in rows)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


@asynccontextmanager
async def asked(
    url: str,
    model: str,
    watched: Watched,
    *,
    key: str = KEY,
    connections: int = 4,
    strangers: int = 0,
    pause: float = 0,
) -> AsyncIterator[set[int]]:
    """Ask for ``model`` from another process while the block lasts; then the answers are in ``watched``.

    It begins with the first answer, and gives the versions that have answered so far.
    ``strangers`` more clients make a new connection for each request; all rest ``pause`` seconds between two.
    """
    address = urlsplit(url)
    program = (sys.executable, "-m", "tests.support.load_clients")
    what = (str(address.hostname), str(address.port), key, model)
    given = (*what, str(connections), json.dumps(ROW), str(strangers), str(pause))
    process = await asyncio.create_subprocess_exec(*program, *given, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    met: set[int] = set()
    meeting = asyncio.create_task(_meet(process.stdout, met))
    try:
        await until(lambda: met or meeting.done(), seconds=60)
        yield met
        process.stdin.close()
        await meeting
        told = await process.stdout.read()
    finally:
        meeting.cancel()
        await asyncio.wait([meeting])
        if process.returncode is None:
            process.kill()
        await process.communicate()  # unlike wait, reads what is left, so that the pipe is closed
    watched.connections = [[Answer(*each) for each in seen] for seen in json.loads(told)]


async def _meet(lines: asyncio.StreamReader, met: set[int]) -> None:
    while (line := await lines.readline()) not in (b"end\n", b""):
        met.add(int(line))


async def swap(
    gateway: Gateway,
    events: ModelEvents,
    put: Callable[[int], ModelRef],
    *,
    swaps: int,
    pause: float,
    before: float = 1.0,
) -> Watched:
    """Promote version after version, each once all workers serve the last; all are asked for meanwhile.

    What ``put`` stores is stored before the clock starts. The first swap comes after ``before`` seconds, in which one
    sees what clients notice of the machine alone.
    """
    watched = Watched()
    refs = {version: await asyncio.to_thread(put, version) for version in range(1, swaps + 2)}
    await _promoted(events, refs[1], 1, watched)
    async with asked(gateway.url, events.model, watched) as met:
        await asyncio.sleep(before)
        for version in range(2, swaps + 2):
            await _promoted(events, refs[version], version, watched)
            await until(partial(met.__contains__, version), seconds=60)  # or nothing could be told of this swap
            await asyncio.sleep(pause)
    return watched


async def _promoted(events: ModelEvents, ref: ModelRef, version: int, watched: Watched) -> None:
    watched.promoted[version] = time.monotonic()
    await events.promote(ref, version)
    await events.all_serve(version)
    watched.converged[version] = time.monotonic()
    published: list[Any] = [event for _, event in events.received if isinstance(event, ModelServing)]
    watched.load_seconds[version] = max(each.load_seconds for each in published if each.promotion_seq == version)
