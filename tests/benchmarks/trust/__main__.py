"""Simulate lives of models and write docs/results/trust.md with its numbers: python -m tests.benchmarks.trust."""

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tests.benchmarks.trust.chains import Gate, Kind, Life, deceived, power
from tests.benchmarks.trust.data import CASES
from tests.benchmarks.trust.page import CONTROLS, page

RESULTS = Path(__file__).parents[3] / "docs" / "results"
Job = tuple[str, Life, Gate, int]
Test = tuple[Kind, int, float, float, int]

LIVES = [(Life(50, 0, 1000), 400), (Life(200, 0, 1000), 200), (Life(50, 10, 1000), 100)]
CONTROL = Life(200, 0, 30), 200
KINDS: tuple[Kind, ...] = ("influence", "betting")
LEVELS = (0.05, 0.005, 0.0005)
ROWS = (200, 1000, 10_000)
MORE = (1.0, 1.25, 1.5)
REPEATS = 1000
POWER = "power"


def jobs(share: float) -> list[Job]:
    """Return what is simulated: ``share`` of the lives, at least one of each."""
    ours: list[Job] = [(case, life, "ours", max(1, round(lives * share))) for case in CASES for life, lives in LIVES]
    life, lives = CONTROL
    return ours + [(case, life, gate, max(1, round(lives * share))) for case in CASES for gate in CONTROLS]


def joined(before: dict[str, Any], found: dict[str, Any], order: list[str]) -> dict[str, Any]:
    """Return both, what is found now instead of what was found before of the same population, or of the power."""
    again = {each["case"] for each in found["lives"]}
    kept = [each for each in before["lives"] if each["case"] not in again]
    ours = sorted([*kept, *found["lives"]], key=lambda each: (each["gate"] != "ours", order.index(each["case"])))
    return {"lives": ours, "power": found["power"] or before["power"]}


def main() -> None:
    """Run it all: half an hour on two cores, or a ``--share`` of it, or ``--only`` some; the others' numbers stay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="Share of the lives to simulate.")
    parser.add_argument("--only", nargs="+", choices=[*CASES, POWER], help="Populations to simulate, or the power.")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    only = arguments.only or [*CASES, POWER]
    todo = [job for job in jobs(arguments.share) if job[0] in only]
    tests: list[Test] = [
        (kind, rows, level, more, max(1, round(REPEATS * arguments.share)))
        for kind in KINDS
        for rows in ROWS
        for level in LEVELS
        for more in MORE
        if POWER in only
    ]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        counts = [pool.submit(deceived, *job) for job in todo]
        seen = [pool.submit(power, *test) for test in tests]
        found = {
            "lives": [
                {"case": case, **life.__dict__, "gate": gate, "lives": lives, "deceived": count.result()}
                for (case, life, gate, lives), count in zip(todo, counts, strict=True)
            ],
            "power": [
                {"bound": kind, "rows": rows, "level": level, "more": more, "repeats": repeats, "seen": each.result()}
                for (kind, rows, level, more, repeats), each in zip(tests, seen, strict=True)
            ],
        }
    published = arguments.out / "trust.json"
    if published.exists():
        found = joined(json.loads(published.read_text()), found, list(CASES))
    published.write_text(json.dumps(found, indent=1) + "\n")
    (arguments.out / "trust.md").write_text(page(found))


if __name__ == "__main__":
    main()
