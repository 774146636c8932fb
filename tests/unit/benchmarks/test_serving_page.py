"""The benchmark's own arithmetic: what it reads, which medians it takes, and what its page says of them."""

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.serving import page
from tests.benchmarks.serving.bars import bars
from tests.benchmarks.serving.load import read
from tests.benchmarks.serving.profiling import shares
from tests.benchmarks.serving.store import Results


def _cell(target: str, per_second: float, *, connections: int = 64, number: int = 0, model: str = "forest") -> Any:
    return {
        "target": target,
        "model": model,
        "connections": connections,
        "round": number,
        "per_second": per_second,
        "p50_ms": 1.0,
        "p99_ms": 2.0,
        "cpu_us": 1e6 / per_second,
        "errors": number,
        "load_average": 0.5,
    }


@pytest.fixture
def results(tmp_path: Path) -> Results:
    titles = {
        "interlock": ["Interlock", "own"],
        "flask-sklearn": ["Flask + gunicorn", "sklearn"],
        "mlserver-onnx": ["MLServer", "onnx"],
        "kserve-onnx": ["KServe's Python server", "onnx"],
        "hello-uvicorn": ["uvicorn, ASGI", "hello"],
    }
    cells = [
        *(_cell("interlock", speed, number=number) for number, speed in enumerate((9_000.0, 10_000.0, 90_000.0))),
        _cell("flask-sklearn", 20.0),
        _cell("mlserver-onnx", 500.0),
        _cell("kserve-onnx", 800.0),
        _cell("hello-uvicorn", 20_000.0, model=""),
    ]
    machine = {"processor": "a processor", "cores": "2", "memory": "24 GiB", "system": "Debian", "python": "3.11.7"}
    failures = [{"target": "ray-onnx", "round": 0, "reason": "it did\nnot start"}]
    data = {"titles": titles, "cells": cells, "machine": machine, "failures": failures, "plan": {"rounds": 3}}
    return Results(tmp_path / "serving.json", data)


def test_what_the_load_generator_prints_is_read_and_its_silence_is_an_error() -> None:
    """The line of wrk.lua among wrk's own gives the numbers; without it there is an error with wrk's words."""
    line = '{"requests": 10, "seconds": 2.0, "p50_ms": 0.5, "p99_ms": 3, "max_ms": 4, "errors": 1}'
    seen = read(f"Running 2s test\n\nmeasured {line}\n")
    assert (seen.requests, seen.p50_ms, seen.errors) == (10, 0.5, 1)
    with pytest.raises(RuntimeError, match="unable to connect"):
        read("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_rounds_become_medians_and_errors_add_up(results: Results) -> None:
    """One lucky round does not make a server fast, and no round hides another's errors."""
    ours = next(cell for cell in results.medians() if cell.target == "interlock")
    assert (ours.rounds, ours.per_second, ours.errors) == (3, 10_000.0, 3)


def test_each_bar_is_held_against_the_best_of_its_kind(results: Results) -> None:
    """Met, not met and not measured are told apart, and the strongest server of a kind is the one that counts."""
    found = {bar.what: bar for bar in bars(results)}
    classic = found["best peer as its users run it, 64 connections"]
    assert (classic.measured, classic.met) == ("500x", True)
    servers = found["best model server with ONNX Runtime, 64 connections"]
    assert (servers.measured, servers.met, servers.against) == ("12x", False, "kserve-onnx")
    assert found["best peer as its users run it, 1 connection"].met is None
    assert found["bare hello world of the same server, 64 connections"].measured == "0.50x"


def test_a_page_shows_numbers_bars_plots_and_what_failed(results: Results) -> None:
    """The page beside the results names every server with its numbers, and each plot that it shows is there."""
    text = page.write(results).read_text()
    assert "| **Interlock** | own | 10,000 |" in text
    assert "| KServe's Python server | ONNX Runtime | 800 | 12.5x |" in text
    assert "**not met**" in text
    assert "- ray-onnx, round 1: it did not start" in text
    plots = [line.rpartition("(")[2].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert plots
    assert all((results.path.parent / plot).read_text().startswith("<?xml") for plot in plots)


def test_results_that_are_saved_are_gone_on_with(results: Results) -> None:
    """What a run has measured is known to the one that resumes it, and what failed is tried again and made good."""
    results.failed("flask-onnx", 0, "it did not start")
    results.add([_cell("flask-onnx", 900.0)])
    again = Results.read(results.path)
    assert again.has("interlock", 2)
    assert not again.has("flask-sklearn", 1)
    assert [each["target"] for each in again.data["failures"]] == ["ray-onnx"]


def test_a_profile_counts_the_innermost_function_and_leaves_out_who_waits() -> None:
    """Lines of one function are one, and an idle thread of a pool is no work."""
    stacks = "main (a.py:1);send (b.py:7) 30\nmain (a.py:2);send (b.py:9) 30\nmain (a.py:1) 20\n"
    idle = "run (threading.py:1);_worker (concurrent/futures/thread.py:81) 900\n"
    assert shares(stacks + idle) == {"send (b.py)": 75.0, "main (a.py)": 25.0}
