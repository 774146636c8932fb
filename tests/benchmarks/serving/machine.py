"""On what a benchmark ran: the page says it, so that a stranger knows what to compare with."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from tests.benchmarks.serving.environments import CHECKOUT

_OURS = (
    "granian",
    "uvicorn",
    "uvloop",
    "litestar",
    "msgspec",
    "numpy",
    "onnxruntime",
    "scikit-learn",
    "xgboost-cpu",
)


def description() -> dict[str, str]:
    """Return processor, cores, memory, system and Python."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{_distribution()}, Linux {platform.release()}",
        "python": platform.python_version(),
    }


def commit() -> str:
    """Return the commit that is measured, with a mark where files differ from it."""
    words = ("git", "describe", "--always", "--dirty", "--abbrev=10")
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def versions(names: tuple[str, ...] = _OURS) -> dict[str, str]:
    """Return the versions of what ours stands on."""
    return {name: importlib.metadata.version(name) for name in names}


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "unknown system"
