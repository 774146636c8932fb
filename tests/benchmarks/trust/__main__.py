"""Simulate lives of models and write docs/results/trust.md with its numbers: python -m tests.benchmarks.trust."""

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.benchmarks.trust.chains import Gate, Life, deceived, power
from tests.benchmarks.trust.data import CASES
from tests.benchmarks.trust.page import CONTROLS, page

RESULTS = Path(__file__).parents[3] / "docs" / "results"
Job = tuple[str, Life, Gate, int]

LIVES = [(Life(50, 0, 1000), 150), (Life(200, 0, 1000), 100), (Life(50, 10, 1000), 100)]
CONTROL = Life(200, 0, 30), 60
LEVELS = (0.05, 0.005, 0.0005)
ROWS = (200, 1000, 10_000)
MORE = (1.0, 1.25, 1.5)
REPEATS = 1000


def jobs(share: float) -> list[Job]:
    """Return what is simulated: ``share`` of the lives, at least one of each."""
    ours: list[Job] = [(case, life, "ours", max(1, round(lives * share))) for case in CASES for life, lives in LIVES]
    life, lives = CONTROL
    return ours + [(case, life, gate, max(1, round(lives * share))) for case in CASES for gate in CONTROLS]


def main() -> None:
    """Run it all; minutes on two cores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="Share of the lives to simulate.")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    todo = jobs(arguments.share)
    tests = [
        (kind, rows, level, more, max(1, round(REPEATS * arguments.share)))
        for kind in ("influence", "betting")
        for rows in ROWS
        for level in LEVELS
        for more in MORE
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
    (arguments.out / "trust.json").write_text(json.dumps(found, indent=1) + "\n")
    (arguments.out / "trust.md").write_text(page(found))


if __name__ == "__main__":
    main()
