"""Whether a benchmark measured anything: a page of zeros looks like a page of results."""

import math
from collections.abc import Iterator
from typing import Any

MAY_BE_ZERO = frozenset({"errors", "failed", "older_after_newer", "round", "load_average"})
"""What is counted from zero; everything else that is measured is more than that."""


def gaps(numbers: Any, path: str = "") -> Iterator[str]:
    """Return what nested results lack: each part that is empty, and each number that is zero, negative or no number."""
    if numbers is None or numbers in ({}, []):
        yield f"{path}: nothing"
    elif isinstance(numbers, dict | list):
        for name, each in numbers.items() if isinstance(numbers, dict) else enumerate(numbers):
            yield from gaps(each, f"{path}, {name}" if path else str(name))
    elif isinstance(numbers, float | int) and not isinstance(numbers, bool):
        least = 0.0 if path.rpartition(", ")[2] in MAY_BE_ZERO else math.ulp(0.0)
        if not least <= numbers < math.inf:
            yield f"{path}: {numbers}"
