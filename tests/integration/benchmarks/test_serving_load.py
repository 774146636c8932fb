"""The serving benchmark's load generator against a server of its own: peers are not installed for a test."""

import os
from pathlib import Path

import pytest

from tests.benchmarks.serving import processes
from tests.benchmarks.serving.load import load
from tests.benchmarks.serving.targets import hellos
from tests.support.debian_programs import program

pytestmark = pytest.mark.integration


async def test_a_greeting_is_measured_and_leaves_nothing_running(tmp_path: Path) -> None:
    """A second of load gives answers without errors, processor time that was used, and an end of the server."""
    program("wrk", "wrk")
    target = next(each for each in hellos(tmp_path) if each.name == "hello-uvicorn")
    async with target.started() as server:
        used = processes.cpu_seconds(server.pid)
        seen = await load(server.url + target.path(""), None, connections=2, seconds=1)
        used = processes.cpu_seconds(server.pid) - used
        running = processes.tree(server.pid)
    assert seen.requests > 0
    assert seen.errors == 0
    assert 0 < seen.p50_ms <= seen.p99_ms <= seen.max_ms
    assert 0 < used <= 1.5 * (os.cpu_count() or 1)
    assert not [pid for pid in running if processes.lives(pid)]
