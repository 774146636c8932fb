"""Podman as root where there is no systemd, by settings of our own."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

CONTAINERS_CONF = Path(__file__).with_name("containers.conf")


def podman(*words: str, check: bool = True) -> str:
    """Run podman; return what it printed."""
    done = run(["podman", *words])
    assert done.returncode == 0 or not check, f"podman {' '.join(words)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def run(command: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run podman, or a program that does; return how it ended."""
    env = {**os.environ, **(env or {}), "CONTAINERS_CONF": str(CONTAINERS_CONF)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)
