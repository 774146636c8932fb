"""A stack's processes are known by their mark, wherever they have gone."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from interlock_localstack import orphans
from interlock_localstack.rabbitmq import remove_unfinished_node
from interlock_localstack.supervision import LAUNCH

SLEEP = [sys.executable, "-S", "-c", "import time; print('up', flush=True); time.sleep(60)"]
DEAF = [
    sys.executable,
    "-S",
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


class Zoo:
    """Processes of one stack, each in a session of its own as a daemon would be."""

    def __init__(self) -> None:
        self.stack = f"{uuid4().hex}/"
        self._all: list[subprocess.Popen[bytes]] = []

    def start(self, component: str, argv: list[str] = SLEEP) -> subprocess.Popen[bytes]:
        env = {orphans.MARK: f"{self.stack}{component};"}
        made = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, start_new_session=True)
        self._all.append(made)
        assert made.stdout is not None
        made.stdout.readline()
        return made

    def close(self) -> None:
        for process in self._all:
            process.kill()
            process.communicate()


@pytest.fixture
def zoo() -> Iterator[Zoo]:
    made = Zoo()
    yield made
    made.close()


def test_one_part_is_ended_and_its_neighbours_live(zoo: Zoo) -> None:
    """The mark of a component fits that component only, not one whose name begins alike."""
    one, other = zoo.start("s3"), zoo.start("s3-gateway")

    assert orphans.terminate_marked(f"{zoo.stack}s3;", grace_seconds=0) == 1
    assert one.wait(10) == -9
    assert other.poll() is None


def test_who_ends_when_asked_is_not_killed(zoo: Zoo) -> None:
    """With patience SIGTERM comes first, and SIGKILL only for those who stay."""
    polite, deaf = zoo.start("a"), zoo.start("b", DEAF)

    assert orphans.terminate_marked(zoo.stack, grace_seconds=0.5) == 2
    assert (polite.wait(10), deaf.wait(10)) == (-15, -9)


def test_a_launch_ends_what_the_last_one_left_and_becomes_the_part(zoo: Zoo, tmp_path: Path) -> None:
    """A component that is started again finds its port free, and has the environment of its spec and nothing else."""
    left = zoo.start("ray")
    env = {orphans.MARK: f"{zoo.stack}ray;", "PATH": os.defpath}
    spec = tmp_path / "ray.json"
    spec.write_text(json.dumps({"argv": ["/usr/bin/env"], "env": env}))
    command = [sys.executable, "-I", "-S", str(LAUNCH), str(spec), "digest"]
    done = subprocess.run(command, env={"SECRET": "of the shell"}, capture_output=True, text=True, check=True)

    assert left.wait(10) == -9
    assert dict(line.split("=", 1) for line in done.stdout.splitlines()) == env


def test_a_broker_killed_in_its_first_start_begins_anew(tmp_path: Path) -> None:
    """It would never take a quorum queue again; one whose first start came to its end keeps what it has."""
    unborn, grown = tmp_path / "unborn", tmp_path / "grown"
    for base, flags in ((unborn, "[].\n"), (grown, "[quorum_queue,\n stream_queue].\n")):
        (base / "interlock@localhost").mkdir(parents=True)
        (base / "interlock@localhost-feature_flags").write_text(flags)
        remove_unfinished_node(base)

    assert not unborn.exists()
    assert (grown / "interlock@localhost").exists()
