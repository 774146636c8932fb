"""Plain counters of predictions by protocol, model and version; idle versions are folded into their model."""

from bisect import bisect_left
from collections.abc import Iterable
from time import monotonic

import msgspec

BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0)
"""Upper bounds of the histogram, in seconds."""

FORGET_SECONDS = 60.0
"""After so long without a request, while another version of the model has some, a version is folded."""

NO_VERSION = 0
"""In place of a version: none was chosen, or it has been folded."""


class Counts(msgspec.Struct):
    """Counters of one model, protocol and version in one worker.

    ``buckets`` has one place more than ``BOUNDS``, for what took longer.
    ``logged`` and ``dropped`` are the rows that the prediction log has published, and those that it had no room for.
    """

    answers: dict[int, int] = {}
    rows: int = 0
    logged: int = 0
    dropped: int = 0
    seconds: float = 0.0
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def count(self, status: int, rows: int, seconds: float) -> None:
        """Count one request: how it ended, the rows it was answered, and the time from its headers to its answer."""
        self.answers[status] = self.answers.get(status, 0) + 1
        self.rows += rows
        self.seconds += seconds
        self.buckets[bisect_left(BOUNDS, seconds)] += 1

    def add(self, other: "Counts") -> None:
        """Add what ``other`` has counted."""
        for status, number in other.answers.items():
            self.answers[status] = self.answers.get(status, 0) + number
        self.rows += other.rows
        self.logged += other.logged
        self.dropped += other.dropped
        self.seconds += other.seconds
        self.buckets = [one + another for one, another in zip(self.buckets, other.buckets, strict=True)]

    @classmethod
    def sum(cls, counts: Iterable["Counts"]) -> "Counts":
        """Return what all of ``counts`` have counted."""
        total = cls()
        for each in counts:
            total.add(each)
        return total


class Counting(msgspec.Struct):
    """A request that is being counted: the version that was chosen for it, and the rows that it was answered."""

    version: int = NO_VERSION
    rows: int = 0


Protocols = dict[str, dict[str, dict[int, Counts]]]
"""Counters by protocol, model and version."""


def by_version(protocols: Protocols) -> dict[tuple[str, int], Counts]:
    """Return the counters of all protocols together, for each model and version that is not folded."""
    found: dict[tuple[str, int], Counts] = {}
    for models in protocols.values():
        for model, versions in models.items():
            for version in versions.keys() - {NO_VERSION}:
                found.setdefault((model, version), Counts()).add(versions[version])
    return found


class IdleVersions:
    """Bounds the number of versions with counters of their own, by the time of their last request."""

    def __init__(self) -> None:
        self._last_counts: dict[tuple[str, int], tuple[int, float]] = {}

    def fold(self, protocols: Protocols) -> None:
        """Add the counters of idle versions to those without a version, so that sums over versions only grow.

        A version is idle while others of its model have requests; the last one to have one never is.
        """
        now, last = monotonic(), dict[str, float]()
        for key, counts in by_version(protocols).items():
            total = sum(counts.answers.values())
            before, since = self._last_counts.get(key, (0, now))
            self._last_counts[key] = total, since if total == before else now
        for (model, _), (_, since) in self._last_counts.items():
            last[model] = max(last.get(model, 0.0), since)
        for key in [key for key, (_, since) in self._last_counts.items() if since <= last[key[0]] - FORGET_SECONDS]:
            del self._last_counts[key]
            model, version = key
            for models in protocols.values():
                if (counts_of := models.get(model, {}).pop(version, None)) is not None:
                    models[model].setdefault(NO_VERSION, Counts()).add(counts_of)
