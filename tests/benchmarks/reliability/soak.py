"""Steady traffic for a long time: what every service uses, what waits to be published, and what waits to be heard."""

import asyncio
import time
from collections import defaultdict
from typing import Any

from tests.benchmarks.reliability.trends import ENOUGH, PER_PROCESS, Trend, trend, use_of
from tests.chaos.run import Lab, prepared
from tests.chaos.stack import SERVICES, Stack
from tests.chaos.workload import Workload
from tests.support.hot_swap import Watched, asked
from tests.support.waiting import until

EVERY_SECONDS = 2.0
"""Between two samples."""

RATE = 10
"""Requests with an effect a second, beside predictions that are asked all the time."""

LAST = ("all queues", "consumer lag")
"""What each round of samples ends with."""

Samples = defaultdict[tuple[str, str], list[tuple[float, float]]]


async def soak(stack: Stack, *, seconds: float, every: float = EVERY_SECONDS) -> dict[str, Any]:
    """Return the trends of every service under steady traffic, as JSON data."""
    samples: Samples = defaultdict(list)
    watched = Watched()
    async with prepared(stack, seed=0, repeated=0) as lab:
        model = lab.scene.rolled[0]
        options: Any = {"key": stack.key, "connections": 2, "strangers": 1, "pause": 0.05}
        async with asked(stack.gateway, model, watched, **options):
            work = Workload(lab.scene, lab.ledger, lab.publisher, lab.consumer, seed=0)
            sampling = asyncio.create_task(_sample(lab, samples, every))
            try:
                await work.run(seconds=seconds, events=int(seconds * RATE))
                # On a machine with other things to do, a short soak would end with too few samples to judge.
                await until(lambda: sampling.done() or len(samples[LAST]) >= ENOUGH, seconds=60)
                if sampling.done():
                    sampling.result()
            finally:
                sampling.cancel()
                await asyncio.gather(sampling, return_exceptions=True)
        await lab.drained(seconds=60)
        total = lab.ledger.total()
    trends = [_of(part, measure, seen) for (part, measure), seen in samples.items()]
    return {
        "seconds": seconds,
        "samples": len(next(iter(samples.values()))),
        "acknowledged": total.acknowledged,
        "predictions": len(watched.answers),
        "failed": len(watched.failures()),
        "trends": [vars(each) | {"flat": each.flat} for each in trends],
        "flat": all(each.flat for each in trends),
    }


def _of(part: str, measure: str, seen: list[tuple[float, float]]) -> Trend:
    return trend(part, measure, [at for at, _ in seen], [value for _, value in seen])


async def _sample(lab: Lab, samples: Samples, every: float) -> None:
    begin = time.monotonic()
    pids = {name: await asyncio.to_thread(lab.stack.parts.pid, name) for name in SERVICES}
    while True:
        at = time.monotonic() - begin
        for name, pid in pids.items():
            use = use_of(pid)
            for measure, value in PER_PROCESS.items():
                samples[name, measure].append((at, value(use)))
        for name, age in (await lab.stack.unsaid()).items():
            samples[name, "outbox age"].append((at, age))
        samples[LAST].append((at, await lab.stack.ready()))
        await asyncio.sleep(max(0.0, begin + at + every - time.monotonic()))
