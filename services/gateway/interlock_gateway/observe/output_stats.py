"""Statistics of one version's outputs: enough to see that they drift, and cheap enough for every request."""

from collections import deque
from collections.abc import Sequence

import msgspec
from interlock_modeling.answer import Scores
from interlock_modeling.signature import Label, label_names

WINDOW = 512
"""Size of the window that the quantiles are of."""

MAX_ROWS_PER_REQUEST = 64
"""Rows of a request that are sampled, evenly spread over it: a large one must not cost more than its answers."""

MAX_LABELS = 50
"""A classification with more labels has none counted: each would be a series in every worker."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class OutputDistribution(msgspec.Struct):
    """Quantiles of a version's newest answers; for a classification ``labels`` counts all its answers by label."""

    version: int
    quantiles: dict[str, float] = {}
    labels: dict[str, int] = {}


class RollingOutputStats:
    """Outputs of one version: quantiles over a rolling window, and cumulative label counts.

    The window holds the newest ``WINDOW`` values: numbers of a regression, or how sure a classification was.
    """

    def __init__(self, version: int, labels: Sequence[Label] | None, threshold: float | None = None) -> None:
        self.version = version
        self._names = label_names(labels) if labels is not None else None
        self._threshold = threshold
        self._counts = [0] * len(labels or ())
        self._last: deque[float] = deque(maxlen=WINDOW)
        self._distribution: OutputDistribution | None = None
        self._seen = 0.0

    def note(self, scores: Scores) -> None:
        """Record the outputs of one request."""
        self._distribution = None
        if len(scores) > MAX_ROWS_PER_REQUEST:
            scores = scores[:: -(-len(scores) // MAX_ROWS_PER_REQUEST)]
        if self._names is None:
            self._last.extend(scores)
            return
        counts, last, threshold = self._counts, self._last, self._threshold
        for row in scores:
            best = max(row)
            counts[row.index(best) if threshold is None else row[1] >= threshold] += 1
            last.append(best)

    def seen(self, now: float) -> float:
        """Return the time of the last output, to the interval in which this is called; costs a request nothing."""
        if self._distribution is None:
            self._seen = now
        return self._seen

    def distribution(self) -> OutputDistribution:
        """Return the quantiles of the window and the counts of labels; computed once for each change."""
        if self._distribution is None:
            ordered = sorted(self._last)
            self._distribution = OutputDistribution(self.version)
            if ordered:
                highest = len(ordered) - 1
                self._distribution.quantiles = {str(each): ordered[round(each * highest)] for each in QUANTILES}
            if self._names is not None and len(self._names) <= MAX_LABELS:
                self._distribution.labels = dict(zip(self._names, self._counts, strict=True))
        return self._distribution
