"""From an engine's raw sums to predictions."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Link = Literal["identity", "logistic", "softmax"]


def apply_link(link: Link, raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return predictions [n] for one raw identity output, else class probabilities [n, k].

    ``raw`` is [n, outputs]; ``logistic`` makes two probabilities of its one output, ``softmax`` k of k, and
    ``identity`` leaves several outputs as they are (a forest's leaves hold probabilities already).
    """
    if link == "logistic":
        with np.errstate(over="ignore"):
            positive = 1.0 / (1.0 + np.exp(-raw[:, 0]))
        return np.column_stack((1.0 - positive, positive))
    if link == "softmax":
        exponentials = np.exp(raw - raw.max(axis=1, keepdims=True))
        shares: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return shares
    return raw[:, 0] if raw.shape[1] == 1 else raw
