"""A whole system as it is run, but for Ray: real servers, and every service a process that starts in a moment."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from interlock_contracts.catalog import OBSERVER
from interlock_contracts.deployment import NAMES
from interlock_localstack.component import Component
from interlock_localstack.plan import plan
from interlock_localstack.state_dir import StateDir
from interlock_messaging.crash_points import VARIABLE

from tests.chaos.jobs import Jobs
from tests.conftest import CHECKOUT, leased
from tests.support.api_keys import as_administrator
from tests.support.gateway_app import bound
from tests.support.gateway_process import store_of
from tests.support.last_release import Release
from tests.support.waiting import until

SERVICES = tuple(name for name in NAMES if name != OBSERVER)
SETTINGS = {
    "INTERLOCK_RECONCILE_SECONDS": "0.1",
    "INTERLOCK_GATEWAY_WORKERS": "1",
    "INTERLOCK_GATEWAY_RECONCILE_SECONDS": "2",
    "INTERLOCK_WEBHOOK_PRIVATE": "true",
    "INTERLOCK_DELETION_GRACE_SECONDS": "0",
}
"""Only what makes waiting shorter, and one process of everything: so a test knows which one dies."""

END_SECONDS = 30.0


class Process:
    """One process that a :class:`Warm` has started."""

    def __init__(self) -> None:
        self.pid = 0
        self.status: int | None = None
        self.started, self.ended = threading.Event(), threading.Event()

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.status is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float = END_SECONDS) -> int | None:
        """Return its exit status, negative for a signal; None where it still runs after ``seconds``."""
        self.ended.wait(seconds)
        return self.status


class OfRelease:
    """A process of another release, which no fork of this one can be."""

    def __init__(self, command: list[str], env: dict[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, env=env, stdout=output, stderr=output, cwd=log.parent, start_new_session=True
            )

    @property
    def status(self) -> int | None:
        """Return its exit status; None while it runs."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        self._process.send_signal(number)

    def wait(self, seconds: float = END_SECONDS) -> int | None:
        """Return its exit status, negative for a signal; None where it still runs after ``seconds``."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.status


class Warm:
    """Starts processes by fork from one that has imported everything."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        logs.mkdir(parents=True, exist_ok=True)
        self._processes: dict[int, Process] = {}
        self._lock = threading.Lock()
        self._ready = threading.Event()
        env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(CHECKOUT)}
        argv = [sys.executable, "-m", "tests.chaos.warm"]
        self._parent = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def start(self, module: str, arguments: list[str], env: dict[str, str], log: str) -> Process:
        """Run ``python -m module``; what it prints is appended to ``<log>.log``."""
        assert self._ready.wait(60), "the warm process does not get ready"
        process = Process()
        with self._lock:
            number = len(self._processes)
            self._processes[number] = process
            order = {"module": module, "arguments": arguments, "env": env, "log": str(self.logs / f"{log}.log")}
            assert self._parent.stdin is not None
            self._parent.stdin.write(json.dumps({"number": number, **order}).encode() + b"\n")
        assert process.started.wait(10), f"{module} was not started"
        return process

    def close(self) -> None:
        """End everything that was started."""
        assert self._parent.stdin is not None
        self._parent.stdin.close()
        try:
            self._parent.wait(END_SECONDS)
        finally:  # what it has started dies with it
            self._parent.kill()
            self._parent.wait()
        self._listening.join(10)

    def _listen(self) -> None:
        assert self._parent.stdout is not None
        with self._parent.stdout as lines:
            for line in lines:
                self._update(json.loads(line))

    def _update(self, told: dict[str, Any]) -> None:
        if "ready" in told:
            self._ready.set()
            return
        process = self._processes[told["number"]]
        if "pid" in told:
            process.pid = told["pid"]
            process.started.set()
        else:
            process.status = told["status"]
            process.ended.set()


class System:
    """Every service with the environment that the local stack gives it; Ray is played by :class:`Jobs`."""

    def __init__(self, env: dict[str, str], warm: Warm) -> None:
        home = StateDir(Path(env["INTERLOCK_HOME"]))
        parts = plan(home, home.read("ports"))
        self._warm = warm
        self.urls = {name: parts[name].url for name in SERVICES}
        admin = as_administrator(env)
        self.amqp, self.postgres = admin["INTERLOCK_AMQP_URL"], admin["INTERLOCK_POSTGRES_URL"]
        self.store = store_of(admin)
        self.jobs = Jobs(warm, _environment(parts["ray"]))
        changed = {**SETTINGS, "INTERLOCK_RAY_ADDRESS": self.jobs.url}
        self._env = {name: {**_environment(parts[name]), **changed} for name in SERVICES}
        self.client = {"INTERLOCK_GATEWAY_URL": self.urls["gateway"], "INTERLOCK_API_KEY": env["INTERLOCK_API_KEY"]}
        self.processes: dict[str, Process | OfRelease] = {}

    def amqp_of(self, service: str) -> str:
        """Return the broker's address with a service's own user."""
        return self._env[service]["INTERLOCK_AMQP_URL"]

    def start_beside(self, service: str) -> Process:
        """Start another replica of a service, at any port."""
        with bound() as sock:
            port = sock.getsockname()[1]
        return self._warm.start(
            f"interlock_{service}", [], {**self._env[service], "INTERLOCK_PORT": str(port)}, service
        )

    def start(self, service: str, *, crash_at: str | None = None) -> Process:
        """Start a service, to die at a crash point if one is named."""
        env = self._env[service] | ({VARIABLE: crash_at} if crash_at else {})
        process = self._warm.start(f"interlock_{service}", [], env, service)
        self.processes[service] = process
        return process

    def start_release(self, service: str, release: Release) -> None:
        """Start a service of another release at the same address."""
        env = {"PATH": os.environ["PATH"], **self._env[service]}
        log = self._warm.logs / f"{service}.log"
        self.processes[service] = OfRelease(release.command(f"interlock_{service}"), env, log)

    def stop(self, service: str, number: int = 15) -> None:
        """Stop a service, and wait for its end."""
        process = self.processes.pop(service)
        process.signal(number)
        if process.wait() is None:
            process.signal(9)
            process.wait()

    async def ready(self, *services: str, seconds: float = 60) -> None:
        """Wait until services say that they are ready; one that has ended counts as well."""
        for service in services:
            await until(partial(self._is_ready, service), seconds=seconds)

    async def _is_ready(self, service: str) -> bool:
        if self.processes[service].status is not None:
            return True
        try:
            # Without reading the system's certificates, which takes longer than a look.
            async with httpx.AsyncClient(timeout=2, verify=False) as http:
                return (await http.get(f"{self.urls[service]}/health/ready")).is_success
        except httpx.TransportError:
            return False

    def log(self, service: str) -> str:
        """Return the end of what a service has printed."""
        return (self._warm.logs / f"{service}.log").read_text(errors="replace")[-4000:]

    def close(self) -> None:
        """Stop what runs."""
        for process in self.processes.values():
            process.signal(15)
        for process in self.processes.values():
            process.wait(10)
        self.jobs.close()


@contextmanager
def running(folder: Path) -> Iterator[System]:
    """Run a system of its own: servers that nobody else uses, and every service."""
    warm = Warm(folder)  # gets ready while the servers start
    try:
        with leased("crash", only="rabbitmq,postgres,s3") as env:
            system = System(env, warm)
            try:
                for service in SERVICES:
                    system.start(service)
                yield system
            finally:
                system.close()
    finally:
        warm.close()


def _environment(part: Component) -> dict[str, str]:
    """Return what the local stack starts a part with, whether or not it has started it."""
    assert part.process is not None, f"{part.name} is ours"
    return dict(part.process.env)
