"""Rolling window over one version's outputs: enough to see that they drift, and cheap enough for every request."""

from collections import deque
from collections.abc import Sequence

import msgspec
from interlock_modeling.answer import Scores
from interlock_modeling.signature import Label, label_names

KEPT = 512
"""How many answers the quantiles are of."""

LOOKED_AT = 64
"""Rows of a request that are looked at, evenly spread over it: a large one must not cost more than its answers."""

MOST_LABELS = 50
"""A classification with more labels has none counted: each would be a series in every worker."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class OutputDistribution(msgspec.Struct):
    """The distribution of a version's answers; ``labels`` counts them, for a classification."""

    version: int
    quantiles: dict[str, float] = {}
    labels: dict[str, int] = {}


class RollingOutputStats:
    """The last answers of one version: numbers of a regression, or how sure a classification was."""

    def __init__(self, version: int, labels: Sequence[Label] | None) -> None:
        self.version = version
        self._names = label_names(labels) if labels is not None else None
        self._counts = [0] * len(labels or ())
        self._last: deque[float] = deque(maxlen=KEPT)
        self._spread: OutputDistribution | None = None
        self._seen = 0.0

    def note(self, scores: Scores) -> None:
        """Note what a request was answered."""
        self._spread = None
        if len(scores) > LOOKED_AT:
            scores = scores[:: -(-len(scores) // LOOKED_AT)]
        if self._names is None:
            self._last.extend(scores)
            return
        counts, last = self._counts, self._last
        for row in scores:
            best = max(row)
            counts[row.index(best)] += 1
            last.append(best)

    def seen(self, now: float) -> float:
        """Return when the last answer was noted, to the interval in which this is called; costs a request nothing."""
        if self._spread is None:
            self._seen = now
        return self._seen

    def spread(self) -> OutputDistribution:
        """Return the distribution of what was noted; it is computed once for each change."""
        if self._spread is None:
            ordered = sorted(self._last)
            self._spread = OutputDistribution(self.version)
            if ordered:
                highest = len(ordered) - 1
                self._spread.quantiles = {str(each): ordered[round(each * highest)] for each in QUANTILES}
            if self._names is not None and len(self._names) <= MOST_LABELS:
                self._spread.labels = dict(zip(self._names, self._counts, strict=True))
        return self._spread
