"""Everything that is measured, each as something that can be started and asked."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from tests.benchmarks.serving import environments, processes
from tests.benchmarks.serving.peer import PEERS, Peer, PeerEngine, Row

_READY_SECONDS = 90


@dataclass(frozen=True)
class Running:
    """A started server: where, and the process whose tree is counted."""

    url: str
    pid: int
    key: str | None = None


class Target(Protocol):
    """One server with one engine."""

    @property
    def name(self) -> str:
        """Return the name in the results."""

    @property
    def title(self) -> str:
        """Return the name on the page."""

    @property
    def engine(self) -> str:
        """Return ``own``, ``sklearn``, ``onnx`` or ``hello``."""

    @property
    def models(self) -> tuple[str, ...]:
        """Return the models that it answers for; a greeting has none."""

    def path(self, model: str) -> str:
        """Return the path that answers for a model."""

    def body(self, row: Row) -> Any:
        """Return the request for one row."""

    def value(self, answer: Any) -> float:
        """Return the prediction that an answer holds."""

    def started(self) -> AbstractAsyncContextManager[Running]:
        """Start it, wait until it answers, and stop it at the end."""


@dataclass(frozen=True)
class PeerTarget:
    """A peer with scikit-learn, as its users run it, or with ONNX Runtime."""

    peer: Peer
    engine: PeerEngine
    model_files: Path
    work: Path

    @property
    def name(self) -> str:
        return f"{self.peer.name}-{self.engine}"

    @property
    def title(self) -> str:
        return self.peer.title

    @property
    def models(self) -> tuple[str, ...]:
        return self.peer.models

    def path(self, model: str) -> str:
        return self.peer.path.format(model=model)

    def body(self, row: Row) -> Any:
        return self.peer.body(row, self.engine)

    def value(self, answer: Any) -> float:
        return self.peer.value(answer)

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Running]:
        binaries = await asyncio.to_thread(environments.ready, self.peer.folder)
        folder, work, port = environments.PEERS / self.peer.folder, self.work / self.name, free_port()
        work.mkdir(parents=True, exist_ok=True)
        env = self._environment(binaries, work, port)
        if self.peer.configure:
            self.peer.configure(work, self.model_files, self.engine)
        if self.peer.prepare:
            words = self.peer.filled(self.peer.prepare, port=port, work=work, binaries=binaries)
            await asyncio.to_thread(subprocess.run, words, cwd=folder, env=env, check=True, capture_output=True)
        command = self.peer.filled(self.peer.command, port=port, work=work, binaries=binaries)
        log = work / "log"
        async with processes.running(command, env=env, folder=folder, log=log) as pid:
            await answers(f"http://127.0.0.1:{port}", pid, log)
            yield Running(f"http://127.0.0.1:{port}", pid)

    def _environment(self, binaries: Path, work: Path, port: int) -> dict[str, str]:
        folder = environments.PEERS
        own = {
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "PYTHONPATH": f"{folder}:{folder / self.peer.folder}",
            "BENCH_MODELS": str(self.model_files),
            "BENCH_ENGINE": self.engine,
            "BENCH_PORT": str(port),
            # More threads than cores made XGBoost up to 50 times slower: this is kind to them.
            "OMP_NUM_THREADS": "1",
            "MLSERVER_HTTP_PORT": str(port),
            "MLSERVER_GRPC_PORT": str(free_port()),
            "MLSERVER_METRICS_PORT": str(free_port()),
            "BENTOML_HOME": str(work / "bentoml"),
            # No telemetry of theirs, which would also not reach anyone from here.
            "BENTOML_DO_NOT_TRACK": "1",
            "MLFLOW_DISABLE_TELEMETRY": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
            "DO_NOT_TRACK": "1",
        }
        ours = ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "OTEL_", "INTERLOCK_", "RAY_ADDRESS")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return inherited | own


@dataclass(frozen=True)
class HelloTarget:
    """A greeting on one of the servers that ours could stand on."""

    name: str
    title: str
    command: tuple[str, ...]
    work: Path
    engine: str = "hello"
    models: tuple[str, ...] = ()

    def path(self, model: str) -> str:
        del model
        return "/"

    def body(self, row: Row) -> Any:
        del row

    def value(self, answer: Any) -> float:
        raise TypeError(f"a greeting predicts nothing: {answer}")

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Running]:
        port = free_port()
        command = [sys.executable, "-m", *(word.format(port=port) for word in self.command)]
        self.work.mkdir(parents=True, exist_ok=True)
        log = self.work / f"{self.name}.log"
        async with processes.running(command, env=dict(os.environ), folder=environments.CHECKOUT, log=log) as pid:
            await answers(f"http://127.0.0.1:{port}", pid, log)
            yield Running(f"http://127.0.0.1:{port}", pid)


_HELLO = "tests.benchmarks.serving.hello"
_UVICORN = ("uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log", "--log-level", "warning")
_GRANIAN = (
    "granian",
    "--host",
    "127.0.0.1",
    "--port",
    "{port}",
    "--no-ws",
    "--loop",
    "uvloop",
    "--log-level",
    "warning",
)


def hellos(work: Path) -> list[HelloTarget]:
    """Return the limits, each with one worker."""
    return [
        HelloTarget("hello-granian-rsgi", "granian, RSGI", (*_GRANIAN, "--interface", "rsgi", f"{_HELLO}:rsgi"), work),
        HelloTarget("hello-granian-asgi", "granian, ASGI", (*_GRANIAN, "--interface", "asgi", f"{_HELLO}:asgi"), work),
        HelloTarget("hello-uvicorn", "uvicorn, ASGI", (*_UVICORN, f"{_HELLO}:asgi"), work),
        HelloTarget("hello-litestar", "uvicorn, Litestar", (*_UVICORN, f"{_HELLO}:litestar"), work),
    ]


def peers(model_files: Path, work: Path) -> list[PeerTarget]:
    """Return every peer with each engine."""
    return [PeerTarget(peer, engine, model_files, work) for peer in PEERS for engine in peer.engines]


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def answers(url: str, pid: int, log: Path) -> None:
    """Wait until something answers at ``url``, whatever it says.

    Raises:
        RuntimeError: the server ended, or took longer than 90 seconds; with the end of its log.
    """
    ends = time.monotonic() + _READY_SECONDS
    async with httpx.AsyncClient(trust_env=False) as http:
        while time.monotonic() < ends and processes.lives(pid):
            try:
                await http.get(url, timeout=2)
            except httpx.TransportError:
                await asyncio.sleep(0.2)
            else:
                return
    raise RuntimeError(f"it did not start: …{end_of(log)}")


def end_of(log: Path) -> str:
    """Return the last of what a server has printed."""
    return log.read_text(errors="replace")[-600:]
