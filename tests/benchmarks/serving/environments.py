"""One Python environment per peer, from its committed lock, outside of the checkout so that it outlives it."""

import os
import shutil
import subprocess
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
CHECKOUT = Path(__file__).parents[3]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interlock" / "bench"

PYTHON = "3.11"
"""The locks hold the versions for this Python on Linux, x86-64."""


def ready(name: str) -> Path:
    """Make the environment of ``peers/<name>`` unless its lock has been installed already; return its ``bin``.

    Raises:
        RuntimeError: uv could not install it.
    """
    home, lock = CACHE / name, (PEERS / name / "requirements.lock").read_bytes()
    installed = home / "installed.lock"
    if not installed.exists() or installed.read_bytes() != lock:
        python = home / "bin" / "python"
        _uv("venv", "--quiet", "--clear", "--python", PYTHON, str(home))
        _uv(
            "pip",
            "sync",
            "--quiet",
            "--python",
            str(python),
            "--require-hashes",
            str(PEERS / name / "requirements.lock"),
        )
        installed.write_bytes(lock)
    return home / "bin"


def lock_all() -> None:
    """Choose versions anew for every peer."""
    options = ["--quiet", "--generate-hashes", "--no-emit-index-url", "--no-annotate", "--no-header", "--upgrade"]
    for asked in sorted(PEERS.glob("*/requirements.in")):
        target = asked.with_suffix(".lock")
        _uv("pip", "compile", *options, "--python-version", PYTHON, str(asked), "-o", str(target))


def versions(name: str) -> dict[str, str]:
    """Return what a peer's own ``requirements.in`` asks for, with the locked versions."""
    wanted = [line.split("==")[0].split("[")[0].split("<")[0] for line in _lines(name, "in")]
    locked = dict(line.split(" ")[0].split("==") for line in _lines(name, "lock") if "==" in line)
    return {each: locked[each] for each in wanted if each in locked}


def _lines(name: str, kind: str) -> list[str]:
    return [line for line in (PEERS / name / f"requirements.{kind}").read_text().splitlines() if line]


def _uv(*words: str) -> None:
    found = shutil.which("uv") or str(CHECKOUT / ".interlock" / "boot" / "bin" / "uv")
    done = subprocess.run([found, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"uv {words[0]} {words[1]}: {done.stderr.strip()[-400:]}")
