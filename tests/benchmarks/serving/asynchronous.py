"""Predictions that nobody waits for: our ``prediction`` service against Celery on the same broker.

The queue is filled first; measured is from the tenth part answered to the last, so that no start-up and no sender is
in it. Processor time is of the answering processes only, not of the broker, nor of the database in which ours keeps
each answer and Celery does not.
"""

import asyncio
import json
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.benchmarks.serving import environments, processes
from tests.benchmarks.serving.answerer import Answerer
from tests.benchmarks.serving.cells import Plan
from tests.benchmarks.serving.reference import Reference

_SECONDS = 180

ABOUT = """One row each, the reference forest, one broker (RabbitMQ) on the same machine; the queue is filled first, and
what is measured is from the tenth part answered to the last. Processor time is of the answering processes only. Ours
keeps each answer in Postgres and tells of it by an event, both in one transaction with what it read; Celery runs as its
users run it, answers through its `rpc://` backend and keeps nothing."""


async def measure(
    known: Reference, servers: dict[str, str], work: Path, plan: Plan, peers: list["Celery"]
) -> dict[str, Any]:
    """Return medians of predictions per second, and per second of processor time, by who answered them."""
    rows, log = work / "work" / "rows.jsonl", work / "work" / "celery.log"
    rows.parent.mkdir(parents=True, exist_ok=True)
    rows.write_text("".join(json.dumps(row) + "\n" for row in known.rows))
    amqp = servers["INTERLOCK_AMQP_URL"]
    answerer = Answerer(known, servers, work / "work", plan.predictions)
    seen: dict[str, list[dict[str, float]]] = {}
    for _ in range(plan.rounds):
        seen.setdefault("interlock", []).append(await answerer.measure())
        for peer in peers:
            seen.setdefault(peer.name, []).append(await peer.measure(rows, work / "models", amqp, log))
    titles = {"interlock": "**Interlock**, 1 replica", **{peer.name: peer.title for peer in peers}}
    await answerer.keep(plan.kept)
    return {
        "about": ABOUT,
        "ways": {name: {"title": titles[name], **_median(each)} for name, each in seen.items()},
        "grown": {"kept": plan.kept, **await answerer.measure()},
    }


def _median(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


@dataclass(frozen=True)
class Celery:
    """A Celery worker with its prefork pool: one process, or as many as there are cores, its default."""

    engine: str
    processes: int | None
    count: int

    @property
    def name(self) -> str:
        return f"celery-{self.engine}" + ("-1" if self.processes == 1 else "")

    @property
    def title(self) -> str:
        engine = {"sklearn": "scikit-learn", "onnx": "ONNX Runtime"}[self.engine]
        return f"Celery, {engine}, " + ("1 process" if self.processes == 1 else "default processes")

    async def measure(self, rows: Path, models: Path, amqp: str, log: Path) -> dict[str, float]:
        """Return predictions per second and per second of processor time."""
        binaries = await asyncio.to_thread(environments.ready, "celery")
        folder = environments.PEERS / "celery"
        env = {
            name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
        }
        env |= {
            "PYTHONPATH": f"{environments.PEERS}:{folder}",
            "BENCH_MODELS": str(models),
            "BENCH_ENGINE": self.engine,
            "BENCH_AMQP": amqp,
            "BENCH_QUEUE": f"bench-{uuid4().hex[:8]}",
            "OMP_NUM_THREADS": "1",
        }
        asking = await asyncio.create_subprocess_exec(
            str(binaries / "python"), "ask.py", str(rows), str(self.count),
            cwd=folder, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await _said(asking, "sent")
            worker = [str(binaries / "celery"), "-A", "tasks", "worker", "--loglevel", "warning", "--without-gossip"]
            worker += ["--concurrency", str(self.processes)] if self.processes else []
            async with processes.running(worker, env=env, folder=folder, log=log) as pid:
                await _said(asking, "begun")
                begun, used = time.perf_counter(), processes.cpu_seconds(pid)
                await _said(asking, "done")
                return processes.rate(
                    self.count - self.count // 10, time.perf_counter() - begun, processes.cpu_seconds(pid) - used
                )
        finally:
            await processes.end(asking)


def celeries(plan: Plan) -> list[Celery]:
    """Return Celery with each engine, with one process and with its default; scikit-learn's are asked less."""
    counts = {"sklearn": plan.predictions // 15, "onnx": plan.predictions}
    return [Celery(engine, number, counts[engine]) for engine in counts for number in (None, 1)]


async def _said(process: asyncio.subprocess.Process, word: str) -> None:
    assert process.stdout is not None, "it was opened with a pipe"
    async with asyncio.timeout(_SECONDS):
        async for line in process.stdout:
            if line.decode().startswith(word):
                return
    raise RuntimeError(f"whoever asks Celery ended before it was {word}")
