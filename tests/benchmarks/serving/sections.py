"""The parts of a run, each of which leaves its numbers in the results file before the next begins."""

import asyncio
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.completeness import gaps
from tests.benchmarks.results import FOLDER, recorded
from tests.benchmarks.serving import asynchronous, batch, environments, processes, profiling, reference, targets
from tests.benchmarks.serving.bars import OURS
from tests.benchmarks.serving.cells import Plan
from tests.benchmarks.serving.ours import OursTarget
from tests.benchmarks.serving.reference import MODELS, Reference
from tests.benchmarks.serving.rounds import Rounds
from tests.benchmarks.serving.store import Results
from tests.conftest import leased
from tests.support.api_keys import as_administrator

WORK = environments.CHECKOUT / ".interlock" / "bench"
_SERVERS = "rabbitmq,postgres,s3"


@dataclass(frozen=True)
class Run:
    """One run; ``only`` are beginnings of names of servers, all of them when empty.

    ``work`` is a folder for files, ``stack`` the name of the stack whose broker, database and store are used.
    """

    plan: Plan
    only: list[str]
    data: Path | None
    results: Results
    work: Path = WORK
    stack: str = "bench-servers"

    async def all(self, names: list[str]) -> None:
        """Measure the named sections on servers of their own."""
        known = self.reference()
        with self.servers() as servers:
            for name in names:
                if name not in self.results.data:  # else measured before the run was interrupted
                    await self.section(name, known, servers)

    @contextmanager
    def servers(self) -> Iterator[dict[str, str]]:
        """Lease the stack's servers, as their administrator: a run writes what is served, as a training would."""
        with leased(self.stack, only=_SERVERS) as settings:
            yield as_administrator(settings)

    def reference(self) -> Reference:
        """Return the fitted models, which peers find in the work folder."""
        known = reference.build(self.work / "models", Path(self.data) if self.data else None)
        self.results.data["rows"] = known.source
        (self.work / "work").mkdir(parents=True, exist_ok=True)
        return known

    async def section(self, name: str, known: Reference, servers: dict[str, str]) -> None:
        """Measure one section; where it fails, that is written down, and others can go on."""
        try:
            await SECTIONS[name](self, known, servers)
        except Exception as error:  # noqa: BLE001 - the other sections are worth having
            traceback.print_exc()
            self.results.failed(name, 0, f"{type(error).__name__}: {error}"[:500])

    def missing(self, names: list[str]) -> list[str]:
        """Return what was to be measured of Interlock in the named sections, and was not."""
        data = self.results.data
        found = [gap for name in names if name != "http" for gap in gaps(data.get(name), name)]
        if "http" in names and self._chosen(OURS):
            cells = [cell for cell in data.get("cells", []) if cell["target"] == OURS]
            found += gaps(cells, f"http of {OURS}")
            models = {cell["model"] for cell in cells}
            found += [f"http of {OURS}: no {model}" for model in MODELS if model not in models]
        return found

    async def http(self, known: Reference, servers: dict[str, str]) -> None:
        """Every server side by side."""
        work = self.work / "work"
        everyone: list[targets.Target] = [
            OursTarget(known, servers),
            *targets.hellos(work),
            *targets.peers(self.work / "models", work),
        ]
        chosen = [each for each in everyone if self._chosen(each.name)]
        if any(each.engine == "onnx" for each in chosen):
            _converted(self.work / "models")
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
        self.results.keep("profile", await profiling.measure(known, servers, self.plan.profile_seconds))

    async def asynchronous(self, known: Reference, servers: dict[str, str]) -> None:
        """Predictions that nobody waits for, against Celery."""
        peers = [each for each in asynchronous.celeries(self.plan) if self._chosen(each.name)]
        if any(each.engine == "onnx" for each in peers):
            _converted(self.work / "models")
        measured = await asynchronous.measure(known, servers, self.work, self.plan, peers)
        self.results.keep("asynchronous", measured)

    async def batch(self, known: Reference, servers: dict[str, str]) -> None:
        """Files, against scikit-learn in a loop and the limit."""
        self.results.keep("batch", await batch.measure(known, servers, self.work, self.plan))

    def _chosen(self, name: str) -> bool:
        return not self.only or name.startswith(tuple(self.only))

    async def _tested(self, name: str) -> None:
        (FOLDER / f"{name}.json").unlink(missing_ok=True)
        test = f"tests/benchmarks/test_{name}.py"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pytest", "-q", "-s", test, cwd=environments.CHECKOUT, env=dict(os.environ)
        )
        try:
            status = await process.wait()
        finally:
            await processes.end(process, signal.SIGINT)  # interrupted, it stops what it has started
        found = recorded(name)
        if found is not None:
            self.results.keep(name, found)
        if status:
            self.results.failed(name, 0, f"{test} failed; its own output says why")


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
