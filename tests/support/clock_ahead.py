"""A pytest plugin: xdist's second worker collects with its clock ahead, as one that starts later on a busy machine.

xdist compares what its workers collect and stops at a difference, so every parallel run shows that no test's name has
anything of the clock, of random numbers or of a set's order (each process has a hash seed of its own).
"""

import os
import time
from collections.abc import Generator

import pytest

AHEAD_SECONDS = 1000.0


class _Clock:
    """``time.time``, ahead for as long as tests are collected; modules that import it by name keep it for good."""

    def __init__(self) -> None:
        self.ahead = AHEAD_SECONDS
        self._now = time.time

    def __call__(self) -> float:
        return self._now() + self.ahead


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Move the clock while test modules are imported."""
    if os.environ.get("PYTEST_XDIST_WORKER") != "gw1":
        return (yield)
    clock = _Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", clock)
        try:
            return (yield)
        finally:
            clock.ahead = 0.0
