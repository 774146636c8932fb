"""Wheels on the host, so that an image is built without a network: other people's by their hashes, and our own."""

import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from interlock_deployment.errors import DeploymentError

PYTHON = "3.11"
"""The images' Python; a wheel is chosen for it, whichever one runs here."""

_GLIBC = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_24", "manylinux_2_17", "manylinux2014")
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def fetch(lock: Path, wheelhouse: Path) -> list[Path]:
    """Return the wheel of every line of ``lock``; fetch what the wheelhouse does not have, each by its hash.

    Raises:
        DeploymentError: one cannot be fetched, or has another hash; with what pip said.
    """
    wheelhouse.mkdir(parents=True, exist_ok=True)
    wanted = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--python-version", PYTHON]
    wanted += ["--implementation", "cp"]
    for tag in (f"{each}_{_machine()}" for each in _GLIBC):
        wanted += ["--platform", tag]
    _pip("download", *wanted, "--find-links", str(wheelhouse), "-r", str(lock), "-d", str(wheelhouse))
    return [_wheel_of(line, wheelhouse) for line in _requirements(lock)]


def build(packages: Sequence[Path], folder: Path, say: Callable[[str], object]) -> list[Path]:
    """Build a wheel of every package of the checkout; return them."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    say(f"building {len(packages)} packages of this checkout")
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), *map(str, packages))
    return sorted(folder.glob("*.whl"))


def pip_wheel(wheels: Iterable[Path]) -> Path:
    """Return the wheel of pip, with which an image installs the others: it runs without being installed."""
    return next(each for each in wheels if each.name.startswith("pip-"))


def _machine() -> str:
    try:
        return _MACHINES[platform.machine().lower()]
    except KeyError:
        raise DeploymentError(f"there are no wheels for {platform.machine()}", hint="x86_64 or aarch64") from None


def _requirements(lock: Path) -> list[str]:
    return [line.split()[0] for line in lock.read_text().splitlines() if "==" in line]


def _wheel_of(requirement: str, wheelhouse: Path) -> Path:
    name, _, version = requirement.partition("==")
    stem = name.replace("-", "_").replace(".", "_").lower()
    for each in sorted(wheelhouse.glob("*.whl")):
        found, its_version, *_ = each.name.split("-")
        if found.replace(".", "_").lower() == stem and its_version == version:
            return each
    raise DeploymentError(f"the wheelhouse {wheelhouse} has no wheel of {requirement}")


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DeploymentError(f"pip {arguments[0]} failed: " + "\n".join(done.stderr.strip().splitlines()[-6:]))
