"""The local stack as its user meets it: up, trouble, up again, down; with the two servers that start fastest."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from interlock_jobs.launcher import Job
from interlock_localstack import orphans
from interlock_localstack.state_dir import LONGEST_RUN_PATH, StateDir
from interlock_localstack.status import stack_status

from tests.support.ray_job import run_command
from tests.support.waiting import until

pytestmark = pytest.mark.integration

ONLY = "postgres,s3"


def by_name(parts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {part["name"]: part for part in parts}


class Machine:
    """One state folder and the command line on it."""

    def __init__(self, root: Path, python: str = sys.executable) -> None:
        self.home = StateDir(root)
        self.python = python
        self.env: dict[str, str] = {}

    def interlock(self, *words: str, expect: int | None = 0) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
        done = subprocess.run(
            [self.python, "-m", "interlock_cli", *words],
            env=clean | self.env | {"INTERLOCK_HOME": str(self.home.root)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert expect in (done.returncode, None), done.stdout + done.stderr
        return done.stdout + (done.stderr if expect else "")

    def up(self) -> dict[str, dict[str, Any]]:
        return by_name(json.loads(self.interlock("up", "--only", ONLY, "--json")))

    def status(self) -> dict[str, dict[str, Any]]:
        """Return what `interlock status --json` prints, without a second to start the command: it is polled."""
        return by_name(stack_status(self.home))

    async def healthy(self) -> dict[str, dict[str, Any]]:
        async def look() -> dict[str, dict[str, Any]] | None:
            parts = self.status()
            return parts if all(part["healthy"] for part in parts.values()) else None

        seen: dict[str, dict[str, Any]] = await until(look, seconds=60)
        return seen

    def settings(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in shlex.split(self.interlock("env")))

    def processes(self) -> list[int]:
        return orphans.find_marked(self.home.mark())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = Machine(tmp_path_factory.mktemp("machine") / "state")
    yield made
    made.interlock("down", "--wipe")
    assert made.processes() == []
    assert not made.home.data.exists()


@pytest.fixture
def machine(shared: Machine) -> Machine:
    """Return a machine whose stack may be running or not: every test begins with ``up``."""
    shared.env = {}
    return shared


@contextmanager
def impostor(port: int) -> Iterator[int]:
    """Let another program answer at the port; return its pid."""
    argv = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield server.pid
        finally:
            server.terminate()


async def ray_job(settings: dict[str, str]) -> Job:
    """Run a job that runs a task, as a training does, with the interpreter that trainings get; return its end."""
    work = "import ray; ray.init(); assert ray.get(ray.remote(lambda: 6 * 7).remote()) == 42"
    job, _ = await run_command(settings, shlex.join([settings["INTERLOCK_TRAINER_PYTHON"], "-c", work]))
    return job


def unmarked(machine: Machine, part: psutil.Process) -> list[str]:
    """Return the processes of a part that do not bear the stack's mark, and so could outlive it."""
    children, marked, found = part.children(recursive=True), set(machine.processes()), []
    for each in children:
        with suppress(psutil.NoSuchProcess):
            if each.pid not in marked and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each.name())
    return found


def pids(parts: dict[str, dict[str, Any]]) -> dict[str, int]:
    return {name: part["pid"] for name, part in parts.items()}


async def test_up_and_down(machine: Machine) -> None:
    """Up starts what is asked for on loopback, again changes nothing, down leaves no process and keeps the data."""
    parts = machine.up()
    assert [part["healthy"] for part in parts.values()] == [True, True]
    assert {part["kind"] for part in parts.values()} == {"server"}
    assert by_name(json.loads(machine.interlock("status", "--json"))) == parts
    assert pids(machine.up()) == pids(parts)
    settings = machine.settings()
    assert not [name for name in settings if "POSTGRES" in name], "people ask the services, never their tables"
    assert settings["INTERLOCK_S3_ENDPOINT"] == parts["s3"]["url"].removesuffix("/interlock")

    machine.interlock("down")
    assert machine.processes() == []
    down = machine.status()
    assert [(part["healthy"], part["pid"]) for part in down.values()] == [(False, None)] * 2
    assert (machine.home.data / "postgres" / "PG_VERSION").exists()
    machine.interlock("down")


def test_before_the_first_up_there_is_nothing(tmp_path: Path) -> None:
    """Status and env say so, down has nothing to do, and none of them makes a folder."""
    fresh = Machine(tmp_path / "state")

    assert fresh.interlock("status", expect=1).startswith("the local stack has never been started")
    assert fresh.interlock("status", "--json", expect=1) == "[]\n"
    fresh.interlock("env", expect=1)
    fresh.interlock("down")
    assert not fresh.home.root.exists()


async def test_a_killed_server_comes_back(machine: Machine) -> None:
    """The supervisor starts a server again that was killed, with its data, though its children live on."""
    before = pids(machine.up())
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    after = pids(await machine.healthy())

    assert not set(after.values()) & set(before.values())


async def test_a_crash_of_the_supervisor_is_mended_by_up(machine: Machine) -> None:
    """Servers without a supervisor are replaced, not doubled, and a stale socket is in nobody's way."""
    before = machine.up()
    supervisor = orphans.find_marked(machine.home.mark("supervisor"))
    for pid in supervisor:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not orphans.find_marked(machine.home.mark("supervisor")))
    assert "not running" in machine.status()["s3"]["detail"]

    after = machine.up()
    assert all(part["healthy"] for part in after.values())
    assert {name: part["url"] for name, part in after.items()} == {name: part["url"] for name, part in before.items()}
    assert not set(pids(before).values()) & set(machine.processes())


async def test_changed_settings_restart_what_they_change(machine: Machine) -> None:
    """A part whose process would be another one is started anew."""
    before = pids(machine.up())
    machine.env["TZ"] = "Europe/Vienna"
    after = pids(machine.up())

    assert not set(after.values()) & set(before.values())
    assert all(part["healthy"] for part in machine.status().values())


async def test_two_ups_at_once_start_one_stack(machine: Machine) -> None:
    """The second waits for the first and finds everything running."""
    with ThreadPoolExecutor(2) as pool:
        said = [future.result() for future in [pool.submit(machine.interlock, "up", "--only", ONLY) for _ in range(2)]]

    assert sorted("running" in each for each in said) == [False, True]
    assert len(orphans.find_marked(machine.home.mark("s3"))) == 1


async def test_stacks_do_not_meet(machine: Machine, tmp_path: Path) -> None:
    """A second checkout has ports of its own, and stopping it stops nothing of the first."""
    first = machine.up()
    other = Machine(tmp_path / "a second checkout" / "whose path is far too long for a socket's name" / ".interlock")
    try:
        second = other.up()
        assert not {part["url"] for part in first.values()} & {part["url"] for part in second.values()}
    finally:
        other.interlock("down", "--wipe")
        assert not other.home.data.exists()
        other.home.run.rmdir()
    assert pids(machine.status()) == pids(first)
    assert all(part["healthy"] for part in machine.status().values())


@pytest.mark.parametrize(("name", "beyond", "only"), [("i", 0, "postgres,ray"), ("ü ", 1, "ray")])
async def test_a_checkout_of_any_length_and_name_works(name: str, beyond: int, only: str) -> None:
    """At the longest path that sockets fit into, and beyond it, with a space and a letter outside of ASCII."""
    with tempfile.TemporaryDirectory(prefix=name, dir="/tmp") as folder:
        environment = Path(folder) / "venv"
        environment.symlink_to(sys.prefix)
        room = LONGEST_RUN_PATH + beyond - len(os.fsencode(f"{folder}//run"))
        other = Machine(Path(folder) / ("d" * room), python=str(environment / "bin" / "python"))
        try:
            other.interlock("up", "--only", only)
            parts = await other.healthy()
            moved = other.home.run.parent != other.home.root
            ended = await ray_job(other.settings())
            head = psutil.Process(parts["ray"]["pid"])
            await until(lambda: not unmarked(other, head))
        finally:
            other.interlock("down", "--wipe")
            shutil.rmtree(other.home.run, ignore_errors=True)
        assert other.processes() == []

    assert "ray" in parts
    assert moved == bool(beyond)
    assert ended.message.startswith("SUCCEEDED")


async def test_two_stacks_that_start_at_once_have_different_public_ports(tmp_path: Path) -> None:
    """Though nothing listens at them yet: a stack keeps what it has chosen, for HTTP and for gRPC."""
    both = [Machine(tmp_path / name) for name in ("one", "two")]
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda each: each.interlock("up", "--only", "s3"), both))
        ports = [each.home.read("ports") for each in both]
    finally:
        for each in both:
            each.interlock("down", "--wipe")

    assert not set(ports[0].values()) & set(ports[1].values())
    assert {"gateway", "grpc", "console"} <= ports[0].keys()


async def test_somebody_else_at_a_parts_port_is_not_called_ready(machine: Machine) -> None:
    """The name of the program that holds the port is told instead."""
    machine.up()
    machine.interlock("down")
    machine.interlock("up", "--only", "postgres")
    port = machine.home.read("ports")["s3"]
    with impostor(port) as pid:
        said = machine.interlock("up", "--only", ONLY, expect=1)
        seen = machine.status()["s3"]

    assert f"port {port} is held by another program" in said
    assert f"pid {pid}" in said
    assert not seen["healthy"]
    await machine.healthy()


async def test_a_taken_port_is_given_up_at_the_next_start(machine: Machine) -> None:
    """Somebody else's server on one of our ports moves ours, with their data."""
    url = machine.up()["postgres"]["url"]
    machine.interlock("down")
    port = int(url.rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        parts = machine.up()

    assert parts["postgres"]["url"] != url
    assert all(part["healthy"] for part in parts.values())


async def test_a_server_that_can_not_work_is_told_with_its_last_words(machine: Machine) -> None:
    """Up fails and shows why, status goes on saying so."""
    machine.up()
    machine.interlock("down")
    version = machine.home.data / "postgres" / "PG_VERSION"
    right = version.read_text()
    version.write_text("9\n")
    said = machine.interlock("up", "--only", ONLY, expect=1)
    version.write_text(right)

    assert "s3 " in said
    assert "database files are incompatible" in machine.interlock("logs", "postgres")
    await machine.healthy()
