"""What a process and its surroundings use, sampled, and whether it grows: a robust slope, and a bar for each."""

import math
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import theilslopes

from tests.benchmarks.serving.processes import tree

_PAGE = os.sysconf("SC_PAGE_SIZE")
WARM_UP = 0.3
"""The share of all samples at the beginning that is not judged: caches fill, pools open."""

CONFIDENCE = 0.95
FEWEST = 10
ENOUGH = math.ceil(FEWEST / (1 - WARM_UP))
"""Samples of which so many are left to judge."""

BARS: dict[str, tuple[str, float]] = {
    "memory": ("MB a minute", 1.0),
    "descriptors": ("a minute", 0.5),
    "threads": ("a minute", 0.5),
    "outbox age": ("s a minute", 0.1),
    "consumer lag": ("messages a minute", 1.0),
}
"""The slope that each measure may have: over an hour of 60 MB nobody's memory is safe."""


@dataclass(frozen=True)
class Trend:
    """How one measure of one part went: ``slope`` by the minute, ``low`` the lower end of its interval."""

    part: str
    measure: str
    begin: float
    end: float
    slope: float
    low: float
    bar: float

    @property
    def flat(self) -> bool:
        """Return whether it does not grow: neither by more than the bar, nor certainly at all."""
        return self.slope <= self.bar or self.low <= 0


def trend(part: str, measure: str, times: Sequence[float], values: Sequence[float]) -> Trend:
    """Return the slope after the warm-up, by Theil and Sen: the median over all pairs of samples.

    One garbage collection or one burst moves it little, unlike a least-squares line (P. K. Sen, Estimates of the
    regression coefficient based on Kendall's tau, 1968). ``times`` are in seconds.

    Raises:
        ValueError: there are too few samples to tell.
    """
    first = int(len(values) * WARM_UP)
    judged, at = values[first:], times[first:]
    if len(judged) < FEWEST:
        raise ValueError(f"{len(judged)} samples of {measure} are too few; take at least {FEWEST} after the warm-up")
    slope, _, low, _ = theilslopes(judged, [each / 60 for each in at], alpha=CONFIDENCE)
    return Trend(part, measure, float(judged[0]), float(judged[-1]), float(slope), float(low), BARS[measure][1])


@dataclass(frozen=True)
class Use:
    """What a process and everything below it use at one moment."""

    megabytes: float
    descriptors: int
    threads: int


def use_of(root: int) -> Use:
    """Return what ``root`` and the processes below it use; one that ends meanwhile is left out."""
    megabytes, descriptors, threads = 0.0, 0, 0
    for pid in tree(root):
        with suppress(OSError):
            folder = Path(f"/proc/{pid}")
            pages = int((folder / "statm").read_text().split()[1])
            count = len(list((folder / "fd").iterdir()))
            megabytes += pages * _PAGE / 1e6
            descriptors += count
            threads += len(list((folder / "task").iterdir()))
    return Use(megabytes, descriptors, threads)


PER_PROCESS: dict[str, Callable[[Use], float]] = {
    "memory": lambda use: use.megabytes,
    "descriptors": lambda use: use.descriptors,
    "threads": lambda use: use.threads,
}
