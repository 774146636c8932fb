"""The parts of a run, each of which leaves its numbers in the results file before the next begins."""

import asyncio
import os
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.results import FOLDER, recorded
from tests.benchmarks.serving import asynchronous, batch, environments, profiling, reference, targets
from tests.benchmarks.serving.cells import Plan
from tests.benchmarks.serving.ours import OursTarget
from tests.benchmarks.serving.reference import Reference
from tests.benchmarks.serving.rounds import Rounds
from tests.benchmarks.serving.store import Results
from tests.conftest import leased

_WORK = environments.CHECKOUT / ".interlock" / "bench"
_SERVERS = "rabbitmq,postgres,s3"


@dataclass(frozen=True)
class Run:
    """One run; ``only`` are beginnings of names of servers, all of them when empty."""

    plan: Plan
    only: list[str]
    data: Path | None
    results: Results

    async def all(self, names: list[str]) -> None:
        """Measure the named sections; one that fails is written down, and the rest goes on."""
        models = _WORK / "models"
        known = reference.build(models, Path(self.data) if self.data else None)
        self.results.data["rows"] = known.source
        _converted(models)
        with leased("bench-servers", only=_SERVERS) as servers:
            for name in names:
                if name in self.results.data:  # measured before the run was interrupted
                    continue
                try:
                    await SECTIONS[name](self, known, servers)
                except Exception as error:  # noqa: BLE001 - the other sections are worth having
                    traceback.print_exc()
                    self.results.failed(name, 0, f"{type(error).__name__}: {error}"[:500])

    async def http(self, known: Reference, servers: dict[str, str]) -> None:
        """Every server side by side."""
        work = _WORK / "work"
        work.mkdir(parents=True, exist_ok=True)
        everyone: list[targets.Target] = [
            OursTarget(known, servers),
            *targets.hellos(work),
            *targets.peers(_WORK / "models", work),
        ]
        chosen = [each for each in everyone if not self.only or each.name.startswith(tuple(self.only))]
        for folder in sorted({each.peer.folder for each in chosen if isinstance(each, targets.PeerTarget)}):
            self.results.data.setdefault("peers", {})[folder] = environments.versions(folder)
        await Rounds(self.plan, chosen, known, work).run(self.results)

    async def hot_path(self, known: Reference, servers: dict[str, str]) -> None:
        """The stages of one request in process, by ``test_hot_path.py``."""
        del known, servers
        await self._tested("hot_path")

    async def swap(self, known: Reference, servers: dict[str, str]) -> None:
        """Swaps under load, by ``test_swap.py``."""
        del known, servers
        await self._tested("swap")

    async def profile(self, known: Reference, servers: dict[str, str]) -> None:
        """Where the gateway's time goes."""
        await self._keep("profile", profiling.measure(known, servers))

    async def asynchronous(self, known: Reference, servers: dict[str, str]) -> None:
        """Predictions that nobody waits for, against Celery."""
        await self._keep("asynchronous", asynchronous.measure(known, servers, _WORK, self.plan.rounds))

    async def batch(self, known: Reference, servers: dict[str, str]) -> None:
        """Files, against scikit-learn in a loop and the limit."""
        await self._keep("batch", batch.measure(known, servers, _WORK, self.plan.rounds))

    async def _keep(self, name: str, measured: Awaitable[dict[str, Any]]) -> None:
        self.results.data[name] = await measured
        self.results.save()

    async def _tested(self, name: str) -> None:
        (FOLDER / f"{name}.json").unlink(missing_ok=True)
        test = f"tests/benchmarks/test_{name}.py"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pytest", "-q", "-s", test, cwd=environments.CHECKOUT, env=dict(os.environ)
        )
        if await process.wait():
            self.results.failed(name, 0, f"{test} failed; its own output says why")
        found = recorded(name)
        if found is not None:
            self.results.data[name] = found
            self.results.save()


Section = Callable[[Run, Reference, dict[str, str]], Awaitable[None]]

SECTIONS: dict[str, Section] = {
    "http": Run.http,
    "hot_path": Run.hot_path,
    "profile": Run.profile,
    "swap": Run.swap,
    "asynchronous": Run.asynchronous,
    "batch": Run.batch,
}


def _converted(models: Path) -> None:
    """Let the converters, which have an environment of their own, write each estimator as ONNX."""
    python = environments.ready("onnxmltools") / "python"
    script = environments.PEERS / "onnxmltools" / "convert.py"
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run([python, script, models], check=True, capture_output=True, env=env)
