"""Row weights of a fit, see decision 0014."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from interlock_modeling.signature import Targets
from numpy.typing import NDArray


@dataclass(frozen=True)
class Weights:
    """The weights of the training rows and of the labels, by their index; None where all weigh the same."""

    rows: NDArray[np.float64] | None = None
    labels: NDArray[np.float64] | Literal["balanced"] | None = None

    def of(self, targets: Targets, rows: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float64] | None:
        """Return the weight of each of these ``rows`` in a fit on them alone, whose targets are given; their mean is 1.

        Only their ratios are meant, and penalties and least weights of leaves are made for weights of about 1.
        """
        if self.rows is None and self.labels is None:
            return None
        weights = np.ones(len(targets)) if self.rows is None else self.rows[rows]
        if self.labels is not None:
            label = targets.astype(np.int64)
            weights = weights * (_balancing(label, weights) if isinstance(self.labels, str) else self.labels)[label]
        return np.asarray(weights / weights.mean())


def _balancing(label: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what makes the rows of each label weigh the same together, as scikit-learn's ``balanced`` does."""
    total: Any = np.bincount(label, weights=weights)
    shares: NDArray[np.float64] = np.divide(1.0, total, out=np.zeros(len(total)), where=total > 0)
    return shares
