"""Judge a million held-out rows of each task and write docs/results/gate.md: ``python -m tests.benchmarks.gate``."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.gate.cases import TASKS, Task, prepared
from tests.benchmarks.gate.measured import spread_out

RESULTS = Path(__file__).parents[3] / "docs" / "results"
ROWS = 1_000_000
MOST_SECONDS, MOST_MEMORY = 30, 10**9

PAGE = """# The gate on many rows

Made by `make bench-gate` from [gate.json](gate.json). A candidate and a champion, both of gradient boosting, are judged
on held-out rows in four files, with ten columns beside the target, two slices with a limit, one of them over pairs, and
a threshold with its confidence. It is the whole evaluation, in a process of its own: reading the files, which rows
either model has trained on (four times as many), both models' answers, all metrics and their bounds, slices, the
weakest segments, leaks, importance, plots, and the report. Bars: {seconds} seconds of the processor and 1 GB, Python
and its libraries included.

| task | rows | seconds | of the processor | memory, at most | report |
|---|---|---|---|---|---|
"""


def measure(task: Task, rows: int, kind: str = "gradient_boosting") -> dict[str, Any]:
    """Return what judging so many rows takes, of models of this kind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spread_out(*prepared(task, rows, folder, kind), folder)
        command = [sys.executable, "-m", "tests.benchmarks.gate.measured", name]
        found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {"task": task, **found}


def page(found: list[dict[str, Any]]) -> str:
    """Return the page in Markdown."""
    lines = [
        f"| {each['task']} | {each['rows']:,} | {each['seconds']:.1f} | {each['cpu_seconds']:.1f} | "
        f"{each['memory'] / 1e9:.2f} GB | {each['report'] / 1e3:.0f} kB |"
        for each in found
    ]
    beyond = [each["task"] for each in found if is_missed(each)]
    text = f"Bars missed: {', '.join(beyond)}." if beyond else "All bars are kept."
    return PAGE.format(seconds=MOST_SECONDS) + "\n".join([*lines, "", text]) + "\n"


def is_missed(each: dict[str, Any]) -> bool:
    """Return whether it took too long, or too much memory."""
    return bool(each["cpu_seconds"] > MOST_SECONDS or each["memory"] > MOST_MEMORY)


def main() -> int:
    """Measure all tasks, one after the other; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gate", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    found = []
    for task in TASKS:
        found.append(measure(task, given.rows))
        print(json.dumps(found[-1]), flush=True)
        (given.out / "gate.json").write_text(json.dumps(found, indent=1) + "\n")
        (given.out / "gate.md").write_text(page(found))
    return int(any(map(is_missed, found)))


if __name__ == "__main__":
    sys.exit(main())
