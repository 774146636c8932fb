"""Wheels on the host, so that an image is built without a network: other people's by their hashes, and our own."""

import hashlib
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from interlock_deployment.errors import DeploymentError
from interlock_deployment.targets import PYTHON, Locked

_GLIBC = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_24", "manylinux_2_17", "manylinux2014")
"""What Debian 12 can load, newest first."""

_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def fetch(locked: Sequence[Locked], wheelhouse: Path, say: Callable[[str], object]) -> list[Path]:
    """Return the wheel of every package, by its hash; those that the wheelhouse does not have are fetched.

    Raises:
        DeploymentError: one cannot be fetched, or has another hash; with what pip said.
    """
    wheelhouse.mkdir(parents=True, exist_ok=True)
    files = _by_hash(wheelhouse)
    if missing := [each for each in locked if each.hashes.isdisjoint(files)]:
        say(f"fetching {len(missing)} of {len(locked)} packages")
        _download(missing, wheelhouse)
        files = _by_hash(wheelhouse)
    return [_wheel_of(each, files, wheelhouse) for each in locked]


def build(packages: Sequence[Path], folder: Path) -> list[Path]:
    """Build a wheel of every package of the checkout into an empty folder; the same files give the same wheels."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    _pip(
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        str(folder),
        *(str(each.resolve()) for each in packages),
    )
    return sorted(folder.glob("*.whl"))


def sha256(file: Path) -> str:
    """Return the digest in hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _by_hash(wheelhouse: Path) -> dict[str, Path]:
    return {sha256(each): each for each in sorted(wheelhouse.glob("*.whl"))}


def _wheel_of(package: Locked, files: dict[str, Path], wheelhouse: Path) -> Path:
    found = [files[each] for each in package.hashes if each in files]
    if not found:
        raise DeploymentError(f"the wheelhouse {wheelhouse} has no wheel of {package.name} {package.version}")
    return found[0]


def _download(missing: Iterable[Locked], wheelhouse: Path) -> None:
    wanted = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--implementation", "cp"]
    wanted += ["--python-version", PYTHON]
    for glibc in _GLIBC:
        wanted += ["--platform", f"{glibc}_{_machine()}"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("\n".join(map(str, missing)))
        requirements.flush()
        _pip("download", *wanted, "-r", requirements.name, "-d", str(wheelhouse))


def _machine() -> str:
    try:
        return _MACHINES[platform.machine().lower()]
    except KeyError:
        raise DeploymentError(f"there are no wheels for {platform.machine()}", hint="x86_64 or aarch64") from None


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DeploymentError(f"pip {arguments[0]} failed: " + "\n".join(done.stderr.strip().splitlines()[-6:]))
