"""How long from an event to the new version's first answer, and where the time goes.

Run by ``make bench``; prints a table of medians. Times come from the run's own trace, so the hops add up.
"""

import json
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack_user import ROW, User, csv
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROUNDS = 5
NANO = 1e-9


async def test_where_the_time_goes_from_retrain_to_the_first_answer(
    stack: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Total, less what the trainer needs, broken down by hop."""
    user = User(stack)
    async with user.http:
        rounds = await measured(user, stack, ROUNDS + 1)
    warm = rounds[1:]
    with capsys.disabled():
        print(f"\nfrom retrain.requested to the first answer, medians of {len(warm)} warm rounds, in ms")
        for hop in warm[0]:
            times = [each[hop] * 1000 for each in warm]
            print(f"  {hop:<44}{statistics.median(times):>9.0f}   (min {min(times):.0f}, max {max(times):.0f})")


async def measured(user: User, stack: dict[str, str], rounds: int) -> list[dict[str, float]]:
    """Return the seconds of each hop, round by round; in the first, little is warm."""
    name = await user.apply(window="latest", gate={"metrics": {"r2": {"min": -1}}, "champion": EVERYTHING_IS_BETTER})
    await user.ingest(name, csv(1000, seed=1))
    seen = []
    for version in range(1, rounds + 1):
        asked = time.time()
        run_id = await user.retrain(name)
        run = await user.ended(run_id)
        assert run["state"] == "succeeded", run["reason"]
        answered = await _first_answer(user, name, version)
        spans = await until(partial(_spans, stack, run["trace_id"]))
        seen.append(_hops(spans, asked, answered))
    return seen


EVERYTHING_IS_BETTER = {"metric": "r2", "min_improvement": -1.0}


async def _first_answer(user: User, name: str, version: int) -> float:
    async def new() -> float:
        answer = await user.predict(name, ROW)
        return time.time() if answer.is_success and answer.json()["version"] == version else 0.0

    first: float = await until(new)
    return first


def _spans(stack: dict[str, str], trace: str) -> list[dict[str, Any]]:
    files = Path(stack["INTERLOCK_SPANS_DIR"]).glob("*.jsonl")
    spans = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    found = [span for span in spans if span["trace_id"] == trace]
    return found if any(span["name"] == "swap" for span in found) else []


def _hops(spans: list[dict[str, Any]], asked: float, answered: float) -> dict[str, float]:
    """Return seconds by hop; each begins where the one before it ended."""

    def at(name: str, edge: str) -> float:
        times: list[float] = [span[edge] * NANO for span in spans if span["name"].startswith(name)]
        return max(times) if edge == "end_ns" else min(times)

    marks = {
        "gateway: request -> run written down": at("process train_dispatch.retrain", "end_ns"),
        "dispatcher: run -> handed to Ray": at("dispatch", "end_ns"),
        "Ray: start of the job": at("train", "start_ns"),
        "trainer: read, select, search, fit, export": at("train", "end_ns"),
        "dispatcher: manifest -> training.completed": at("send interlock.events:training.completed", "end_ns"),
        "registry: version registered": at("send interlock.events:model.registered", "end_ns"),
        "gate: evaluated": at("send interlock.events:evaluation.passed", "end_ns"),
        "registry: promoted": at("send interlock.events:model.promoted", "end_ns"),
        "gateway: loaded and swapped, every worker": at("swap", "end_ns"),
        "first answer of the new version seen": answered,
    }
    hops, before = {}, asked
    for hop, mark in marks.items():
        hops[hop] = mark - before
        before = mark
    hops["total"] = answered - asked
    hops["total without the trainer"] = hops["total"] - hops["trainer: read, select, search, fit, export"]
    return hops
