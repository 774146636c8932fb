"""Numbers, histograms and tables in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

from interlock_contracts.report import Histogram

LEVELS = "▁▂▃▄▅▆▇█"


def number(value: float | None, *, sign: bool = False) -> str:
    """Return a number in few digits, ``—`` where there is none."""
    return "—" if value is None else f"{value:+.4g}" if sign else f"{value:.4g}"


def sketched(histogram: Histogram) -> str:
    """Return a histogram as a line of blocks between its ends."""
    far = [f"{count:,} {where}" for where, count in (("below", histogram.below), ("above", histogram.above)) if count]
    line = f"`{number(histogram.edges[0])} {sparkline(histogram.counts)} {number(histogram.edges[-1])}`"
    return f"{line} ({', '.join(far)})" if far else line


def sparkline(values: Sequence[float]) -> str:
    """Return numbers as blocks of eight heights; what is equal everywhere is of middle height."""
    if not values:
        return ""
    low, high = min(values), max(values)
    if low == high:
        return LEVELS[3] * len(values)
    return "".join(LEVELS[round((value - low) / (high - low) * (len(LEVELS) - 1))] for value in values)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, plain: bool = True) -> str:
    """Return a Markdown table; cells that are not ``plain`` are Markdown already."""
    lines = [[escaped(each) for each in head], ["---"] * len(head)]
    lines += [[escaped(str(cell)) if plain else str(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Return text so that Markdown shows it as it is, on one line: a label may be anything."""
    line = " ".join(text.split())
    return "".join(f"\\{each}" if each in "\\`*_{}[]<>|#@~" else each for each in line)
