"""Where a benchmark leaves its numbers for the page ``docs/results/serving.md``."""

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("INTERLOCK_BENCH_RESULTS", Path(__file__).parents[2] / ".interlock" / "bench" / "results"))


def record(section: str, numbers: dict[str, Any]) -> None:
    """Write down what was measured; ``section`` is the benchmark's name, for instance ``swap``."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{section}.json").write_text(json.dumps(numbers, indent=1))


def recorded(section: str) -> dict[str, Any] | None:
    """Return what was last written down, if anything was."""
    path = FOLDER / f"{section}.json"
    return json.loads(path.read_text()) if path.exists() else None
