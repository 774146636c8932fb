"""Real servers for the tests that ask for them, shared by all of pytest's processes."""

import fcntl
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import settings

from tests.support.api_keys import as_administrator

pytest_plugins = ["tests.support.clock_ahead", "tests.support.garbage", "tests.support.spans"]

settings.load_profile("ci")
"""Everywhere the same examples and no deadline: a busy machine is no fault of what is tested."""

CHECKOUT = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--slow``, ``--screenshots`` and ``--servers``."""
    parser.addoption("--servers", default="test", help="which servers to use: runs at once need different ones")
    parser.addoption("--slow", action="store_true", help="also run what is marked slow: long soaks and big files")
    parser.addoption("--screenshots", type=Path, help="a folder for pictures of the pages that browser tests look at")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave slow tests out unless they are asked for; they are not collected, so they do not count as skipped."""
    if not config.getoption("--slow"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Iterator[dict[str, str]]:
    """Return the settings of a stack with RabbitMQ, Postgres and S3 only; no service hears what a test says.

    They are the administrator's: a test plays every service, and takes things apart.
    """
    with leased(pytestconfig.getoption("--servers"), only="rabbitmq,postgres,s3") as settings:
        yield as_administrator(settings)


@pytest.fixture(scope="session")
def stack() -> Iterator[dict[str, str]]:
    """Return the settings of a whole stack: servers, Ray and every service."""
    with leased("e2e") as settings:
        yield settings


@contextmanager
def leased(name: str, only: str | None = None, **given: str) -> Iterator[dict[str, str]]:
    """Share the stack in ``.interlock/<name>``: the first to ask starts it, the last to leave stops and empties it.

    ``given`` are settings of servers that the test brings along.

    A lease is a shared lock on a file. The system gives it back when a process is killed, so a stack that outlived
    its tests is found again, used, and stopped by the next ones.
    """
    home = CHECKOUT / ".interlock" / name
    home.mkdir(parents=True, exist_ok=True)
    ports = home / "ports.json"
    if not ports.exists():
        # 8000, 8001 and 8080 are the user's, who may start a stack meanwhile.
        ports.write_text('{"gateway": 8100, "grpc": 8101, "console": 8180}')
    with (home / "lease").open("w") as lease:
        try:
            alone = _nobody_else(lease)
            if not alone:
                fcntl.flock(lease, fcntl.LOCK_SH)
            # Who joins others starts nothing that works: `up` would restart services whose code was edited meanwhile.
            if alone or not _healthy(home):
                _interlock(home, "up", *(["--only", only] if only else []), **given)
            fcntl.flock(lease, fcntl.LOCK_SH)
            lines = shlex.split(_interlock(home, "env"))
            admins: dict[str, str] = json.loads((home / "admin.json").read_text())
            yield {"INTERLOCK_HOME": str(home), **dict(line.split("=", 1) for line in lines), **admins}
        finally:  # also when a part did not start, or a test that holds the stack by itself has failed
            if _nobody_else(lease):
                _interlock(home, "down", "--wipe")


def _nobody_else(lease: TextIO) -> bool:
    """Try to take the lease for ourselves; where others share it, our own share is lost."""
    try:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _healthy(home: Path) -> bool:
    return _run(home, "status").returncode == 0


def _interlock(home: Path, *words: str, **given: str) -> str:
    done = _run(home, *words, **given)
    assert done.returncode == 0, f"interlock {' '.join(words)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def _run(home: Path, *words: str, **given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "interlock_cli", *words],
        env={**os.environ, **given, "INTERLOCK_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
