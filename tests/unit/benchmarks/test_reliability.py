"""The soak's judgement, and the page that is made of a run's numbers."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.reliability import page
from tests.benchmarks.reliability.trends import PER_PROCESS, Trend, trend, use_of
from tests.benchmarks.serving.store import Results

LEAKS = """
import sys, time
held = []
for _ in range(1000):
    if sys.argv[1] == "leaks":
        held.append((bytearray(b"x" * 1_000_000), open("/dev/null")))
    print(flush=True)
    time.sleep(0.01)
"""


def sampled(how: str) -> list[Trend]:
    """Return the trends of a process that leaks or does not, after forty of its steps."""
    process = subprocess.Popen([sys.executable, "-c", LEAKS, how], stdout=subprocess.PIPE)
    assert process.stdout is not None
    times, uses = [], []
    try:
        for _ in range(40):
            process.stdout.readline()
            times.append(time.monotonic())
            uses.append(use_of(process.pid))
    finally:
        process.kill()
        process.communicate()
    return [trend("child", name, times, [value(use) for use in uses]) for name, value in PER_PROCESS.items()]


def test_a_planted_leak_is_seen() -> None:
    """Memory and descriptors grow, threads do not."""
    assert {each.measure: each.flat for each in sampled("leaks")} == {
        "memory": False,
        "descriptors": False,
        "threads": True,
    }


def test_a_process_that_does_not_leak_is_flat() -> None:
    """The same process, keeping nothing."""
    assert all(each.flat for each in sampled("keeps nothing"))


def test_bursts_are_no_growth_and_slow_growth_is() -> None:
    """A tenth of all samples may be anywhere; two megabytes a minute are seen under ten megabytes of noise."""
    random = np.random.default_rng(0)
    times = np.arange(0, 600, 2.0)
    steady = 200 + random.normal(0, 5, len(times))
    bursts = np.where(random.random(len(times)) < 0.1, steady + 500, steady)

    assert trend("part", "memory", list(times), list(bursts)).flat
    assert not trend("part", "memory", list(times), list(steady + times / 30)).flat


def test_a_short_soak_is_no_soak() -> None:
    """Nobody is told that a dozen samples are flat."""
    with pytest.raises(ValueError, match="too few"):
        trend("part", "threads", [0.0] * 12, [1.0] * 12)


def test_the_page_says_what_was_not_reached(tmp_path: Path) -> None:
    """A bar that is missed, and a section that failed, are told as they are."""
    counts = dict.fromkeys(("acknowledged", "unacknowledged", "lost", "duplicated", "unexpected", "recovered"), 0)
    about = {
        "date": "2026-01-01",
        "commit": "abc",
        "command": "make bench-reliability",
        "versions": {"faststream": "0.7"},
        "machine": dict.fromkeys(("processor", "cores", "memory", "system", "python"), "?"),
    }
    chaos = {
        "total": counts | {"acknowledged": 12_345, "lost": 3},
        "kinds": {"rollback": counts | {"lost": 3}},
        "faults": {"kill registry": 2, "kill s3, in vain": 1},
        "dead_letters": {},
        "seed": 7,
        "seconds": 600.0,
        "sound": False,
        "left": "",
        "repeats": 5,
        "drain_seconds": 4.0,
    }
    path = tmp_path / "reliability.json"
    path.write_text(json.dumps({"chaos": about | chaos, "soak": about | {"error": "TimeoutError: no"}}))

    text = page.write(Results.read(path)).read_text()

    assert (
        "| 2 faults in 600 s | 0 lost, 0 duplicated, 0 unexpected | 3 lost, 0 duplicated, 0 unexpected | **not" in text
    )
    assert "| requests acknowledged meanwhile | ≥ 10,000 | 12,345 | met |" in text
    assert "failed: TimeoutError: no" in text
    assert "not measured" in text
