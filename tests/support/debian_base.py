"""Debian 12 as a tar file, for images and machines of tests: made once from Debian's own packages, and kept."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from interlock_localstack.environment import cache_folder

from tests.support.debian_programs import program
from tests.support.environments import do_without

BASE = (
    "python3-minimal",
    "libpython3.11-stdlib",
    "ca-certificates",
    "libgomp1",
    "libexpat1",
    "netbase",
    "tzdata",
    "media-types",
)
"""What the images' own base, python:3.11-slim-bookworm, has of what they need."""


def debian_base(*packages: str) -> Path:
    """Return a tar file of Debian 12 with Python 3.11 and ``packages``; made by the first who asks, in two minutes.

    Without mmdebstrap or its packages the test is skipped and says what is missing, and fails in CI.
    """
    if os.geteuid() != 0:
        pytest.skip("a Debian of its own is made by root only")
    folder = cache_folder() / "images"  # for every checkout of this user
    folder.mkdir(parents=True, exist_ok=True)
    named = hashlib.sha256(" ".join((*BASE, *packages)).encode()).hexdigest()[:12]
    file = folder / f"base-{named}.tar"
    with file.with_suffix(".making").open("w") as making:
        fcntl.flock(making, fcntl.LOCK_EX)  # released when closed, and when its process ends in any other way
        if not file.exists():
            new = file.with_suffix(".new")
            _add(debian_base(), packages, new) if packages else _make(new)
            new.replace(file)
    return file


def _make(file: Path) -> None:
    _run(
        [
            program("mmdebstrap", "mmdebstrap"),
            "--mode=root",
            "--variant=minbase",
            "--format=tar",
            f"--include={','.join(BASE)}",
            "--dpkgopt=path-exclude=/usr/share/{man,doc,locale}/*",
            "bookworm",
            str(file),
        ]
    )


def _add(base: Path, packages: tuple[str, ...], file: Path) -> None:
    root = file.with_suffix(".root")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    _run(["tar", "-xf", str(base), "-C", str(root)])
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    refuses = root / "usr/sbin/policy-rc.d"  # no daemon is started in a folder
    refuses.write_text("#!/bin/sh\nexit 101\n")
    refuses.chmod(0o755)
    apt = ["chroot", str(root), "apt-get", "-o", "Acquire::Retries=3"]
    _run([*apt, "update", "-qq"])
    _run([*apt, "install", "-y", "-qq", "--no-install-recommends", *packages])
    _run([*apt, "clean"])
    refuses.unlink()
    _run(["tar", "-cf", str(file), "-C", str(root), "."])
    shutil.rmtree(root)


def _run(command: list[str]) -> None:
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        do_without(f"{' '.join(command)}:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
