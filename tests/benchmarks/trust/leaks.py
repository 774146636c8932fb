"""Leaks: thirty planted ones that must be seen, and a hundred clean tables; ``python -m tests.benchmarks.trust.leaks``.

Each table goes through the whole check of a file, as an upload does. The page docs/results/leaks.md is written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tests.benchmarks.trust.clean import clean
from tests.benchmarks.trust.planted import planted
from tests.benchmarks.trust.tables import Made
from tests.unit.ingest.validation.judging import judge

PAGE = Path(__file__).parents[3] / "docs" / "results" / "leaks.md"
RULES = (
    "target_copy", "target_formula", "row_id", "near_duplicates", "shared_entities", "shared_times",
)  # fmt: skip
MOST_FALSE = 5
"""Of a hundred clean tables."""

SEEDS = range(5)


def leaks_of(made: Made) -> list[str]:
    """Return what the check of the table says of leaks, as rule and column."""
    result = judge(made.csv, made.types, made.target, **made.data).result
    assert result.accepted, (made.name, result.reasons)
    return [f"{each.rule} {each.column or ''}".strip() for each in result.warnings if each.rule in RULES]


def seen(made: Made, found: Iterable[str]) -> bool:
    """Return whether the planted leak is among what was found."""
    return any(each.split()[0] in made.rules for each in found)


def main() -> int:
    """Run every seed and size, write the page; return 1 where a bar is missed."""
    lines, missed, worst = [], 0, 0
    for rows in (200, 1000, 5000):
        for seed in SEEDS:
            tables = [(made, leaks_of(made)) for made in planted(np.random.default_rng(seed), rows)]
            unseen = [made.name for made, found in tables if not seen(made, found)]
            missed += len(unseen)
            said = ", ".join(unseen) or "none"
            lines.append(f"| {rows:,} | {seed} | {len(tables)} | {len(tables) - len(unseen)} | {said} |")
    false = []
    for seed in SEEDS:
        tables = [(made, leaks_of(made)) for made in clean(np.random.default_rng(seed))]
        warned = [f"{made.name} ({', '.join(found)})" for made, found in tables if found]
        worst = max(worst, len(warned))
        false.append(f"| {seed} | {len(tables)} | {len(warned)} | {'; '.join(warned) or 'none'} |")
    PAGE.write_text(_page(lines, false))
    return int(missed > 0 or worst > MOST_FALSE)


def _page(lines: list[str], false: list[str]) -> str:
    return "\n".join([
        "# Leaks: seen, and seen where there are none",
        "",
        "Written by `python -m tests.benchmarks.trust.leaks`. Every table goes through the whole check of a file, with",
        "the rules as they are by default. The bar: no planted leak unseen, and warnings of leaks in at most 5 of 100",
        "clean tables.",
        "",
        "## Planted leaks",
        "",
        "A copy of the target in twelve forms, labels in other words, formulas of two columns, numbers and names of",
        "rows, copies of rows, patients and devices on both sides of the split, and a slow series that is",
        "not split by time.",
        "",
        "| rows | seed | planted | seen | unseen |",
        "|---|---|---|---|---|",
        *lines,
        "",
        "## Clean tables",
        "",
        "Twenty-five shapes in turn, from 40 to some 2,000 rows (surveys eight times as many), four published data",
        "sets among them.",
        "",
        "| seed | tables | with a warning | which |",
        "|---|---|---|---|",
        *false,
        "",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
