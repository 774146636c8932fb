"""Predictions while everything behind the gateway is stopped, one after the other and all at once, through promotions.

The scenario that Seldon Core has written down and never runs (its ``disruption.feature`` is commented out), with a
stricter bar: at least 99.9 % answered, no gap over a second, and never an older version after a newer one.
"""

import asyncio
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

from interlock_contracts.event import Envelope

from tests.chaos.bus import Consumer, Publisher
from tests.chaos.scene import Scene
from tests.chaos.stack import Stack
from tests.support.hot_swap import Watched, asked
from tests.support.waiting import until

WORKERS = 2
SHARE = 0.999
GAP_SECONDS = 1.0


@dataclass
class Rollouts:
    """What the bus tells of promotions and of workers that serve them, with the time at which it was received."""

    promoted: dict[int, float] = field(default_factory=dict)
    converged: dict[int, float] = field(default_factory=dict)
    _serving: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    def record(self, envelope: Envelope, data: dict[str, Any]) -> None:
        if envelope.type == "model.promoted":
            self.promoted.setdefault(data["version"], time.monotonic())
        if envelope.type == "model.serving":
            self._serving[data["version"]].add(data["worker"])
            if len(self._serving[data["version"]]) == WORKERS:
                self.converged.setdefault(data["version"], time.monotonic())

    def __contains__(self, event_id: str) -> bool:
        return False  # consuming a promotion twice changes nothing


@dataclass(frozen=True)
class Outage:
    """What was away from ``begin`` to ``end``, in seconds of the run, and what clients noticed meanwhile."""

    parts: str
    begin: float
    end: float
    requests: int = 0
    failed: int = 0
    longest_gap_ms: float = 0


@dataclass(frozen=True)
class Served:
    """What clients saw."""

    seconds: float
    requests: int
    failed: int
    longest_gap_ms: float
    backwards: int
    promotions: int
    never_promoted: list[int]
    versions_answered: int
    outages: list[Outage]

    @property
    def share(self) -> float:
        """Return the share of requests that were answered rightly."""
        return 1 - self.failed / max(self.requests, 1)

    @property
    def good(self) -> bool:
        """Return whether the promise was kept."""
        quick = self.longest_gap_ms <= GAP_SECONDS * 1000
        return self.share >= SHARE and quick and not self.backwards and not self.never_promoted

    def table(self) -> str:
        """Return what was seen as lines for people."""
        lines = [
            f"{self.requests} requests in {self.seconds:.0f} s, {self.failed} failed: {self.share:.4%} answered",
            f"longest gap {self.longest_gap_ms:.0f} ms; {self.promotions} promotions",
            f"{self.versions_answered} versions answered, never promoted: {self.never_promoted}",
            f"{self.backwards} answers older after newer",
        ]
        for each in self.outages:
            told = f"{each.requests} requests, {each.failed} failed, longest gap {each.longest_gap_ms:.0f} ms"
            lines.append(f"  {each.begin:5.1f} to {each.end:5.1f} s  without {each.parts}: {told}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return it all as JSON data."""
        return asdict(self) | {"share": self.share, "good": self.good}


async def serve_through(
    stack: Stack, *, singly: tuple[str, ...], hold: float, promotions: int, clients: int = 4, pause: float = 0.005
) -> Served:
    """Ask on and on while each of ``singly`` is away ``hold`` seconds, then all; and while versions are promoted."""
    rollouts, publisher, watched = Rollouts(), Publisher(stack), Watched()
    consumer = Consumer(stack, rollouts, publisher, seed=0, repeated=0)
    consuming = asyncio.create_task(consumer.consume())
    try:
        await asyncio.wait_for(consumer.listening.wait(), 30)
        scene = await Scene.made(stack, publisher, rolled=0)
        (model,) = scene.grown
        consumer.only(model)
        await _promoted(scene, model, 1, rollouts)
        async with stack.client() as http:
            await scene.serves(http, model, 1)
        begin = time.monotonic()
        options: Any = {"key": stack.key, "connections": clients, "strangers": clients // 2, "pause": pause}
        async with asked(stack.gateway, model, watched, **options):
            promoting = asyncio.create_task(_promote(scene, model, promotions, rollouts))
            try:
                outages = await _away(stack, singly, hold)
                await stack.healthy()
                await promoting
                await until(lambda: rollouts.converged.get(promotions + 1), seconds=60)
            finally:
                promoting.cancel()
                await asyncio.gather(promoting, return_exceptions=True)
        return _served(watched, rollouts, outages, begin)
    finally:
        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)
        await publisher.close()
        await consumer.close()


async def _promote(scene: Scene, model: str, count: int, rollouts: Rollouts) -> None:
    for version in range(2, count + 2):
        await _promoted(scene, model, version, rollouts)


async def _promoted(scene: Scene, model: str, version: int, rollouts: Rollouts) -> None:
    """Have one more version registered, measured and promoted; wait for whatever is away meanwhile."""
    run = uuid4()  # one for all tries: another would be another version

    async def said() -> bool:
        try:
            return await scene.trained(model, version, run)
        except (OSError, TimeoutError):
            return False

    await until(said, seconds=120)
    await until(lambda: version in rollouts.promoted, seconds=120)


async def _away(stack: Stack, singly: tuple[str, ...], hold: float) -> list[Outage]:
    """Take the parts away, one by one and then all; return when, by the system's clock."""
    outages: list[Outage] = []
    for parts in (*((name,) for name in singly), singly):
        begin = time.monotonic()
        try:
            await asyncio.to_thread(stack.parts.stop_all, set(parts))
            await asyncio.sleep(hold)
        finally:  # whoever shares the stack finds it whole
            for name in parts:
                await asyncio.to_thread(stack.parts.start, name)
        await stack.healthy(*parts)
        outages.append(Outage(", ".join(parts), begin, time.monotonic()))
    return outages


def _served(watched: Watched, rollouts: Rollouts, outages: list[Outage], begin: float) -> Served:
    watched.promoted, watched.converged = rollouts.promoted, rollouts.converged
    answers, failures = watched.answers, watched.failures()
    versions = {each.version for each in answers if each.version}
    return Served(
        seconds=answers[-1].at - begin,
        requests=len(answers),
        failed=len(failures),
        longest_gap_ms=watched.silence() * 1000,
        backwards=watched.backwards(),
        promotions=len(rollouts.promoted) - 1,
        never_promoted=sorted(versions - rollouts.promoted.keys()),
        versions_answered=len(versions),
        outages=[
            Outage(
                each.parts,
                each.begin - begin,
                each.end - begin,
                requests=sum(each.begin <= answer.sent < each.end for answer in answers),
                failed=sum(each.begin <= answer.sent < each.end for answer in failures),
                longest_gap_ms=watched.silence(each.begin, each.end) * 1000,
            )
            for each in outages
        ],
    )
