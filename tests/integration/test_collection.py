"""Every process collects the same tests: xdist's workers compare, and a difference stops the whole run."""

import os
import subprocess
import sys

from tests.conftest import CHECKOUT

PARALLEL = ("tests/unit", "tests/contract", "tests/architecture", "tests/security")


def collecting(seed: str, *options: str) -> "subprocess.Popen[str]":
    """Start to collect what runs in parallel, in a process with its own hash seed and random numbers."""
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *options, *PARALLEL],
        cwd=CHECKOUT,
        # Assertions are not rewritten: nobody runs them here, and it is half of the time.
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTEST_ADDOPTS": "--assert=plain"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def collected(process: "subprocess.Popen[str]") -> list[str]:
    """Return the names of the tests in their order."""
    printed, _ = process.communicate()
    assert process.returncode == 0, printed[-2000:]
    return [line for line in printed.splitlines() if "::" in line]


def test_two_processes_at_different_times_collect_the_same_tests() -> None:
    """In the same order, too; nothing of the clock, of random numbers or of a set's order is in a test's name."""
    with collecting("1") as early, collecting("2", "-p", "tests.support.clock_ahead") as late:
        first, other = collected(early), collected(late)

    assert len(first) > 1000
    assert [pair for pair in zip(first, other, strict=True) if pair[0] != pair[1]] == []
