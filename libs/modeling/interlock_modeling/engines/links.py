"""From an engine's raw sums to predictions."""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Link = Literal["identity", "logistic", "softmax"]

LEAST = -709.0
"""Below it the positive class has no probability; ``exp`` of its opposite is the largest that is finite."""


def apply_link(link: Link, raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return predictions [n] for one raw identity output, else class probabilities [n, k].

    ``raw`` is [n, outputs]; ``logistic`` makes two probabilities of its one output, ``softmax`` k of k, and
    ``identity`` leaves several outputs as they are (a forest's leaves hold probabilities already).
    """
    if len(raw) == 1:
        return _of_one_row(link, raw[0].tolist())
    if link == "logistic":
        positive = 1.0 / (1.0 + np.exp(-np.maximum(raw[:, 0], LEAST)))
        return np.column_stack((1.0 - positive, positive))
    if link == "softmax":
        shares: NDArray[np.float64] = np.exp(raw - raw.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return shares
    return raw[:, 0] if raw.shape[1] == 1 else raw


def _of_one_row(link: Link, raw: list[float]) -> NDArray[np.float64]:
    """Do the same with Python's numbers: so few are done before NumPy has begun."""
    if link == "logistic":
        positive = 1.0 / (1.0 + math.exp(-max(raw[0], LEAST)))
        return np.array([[1.0 - positive, positive]])
    if link == "softmax":
        greatest = max(raw)
        shares = [math.exp(number - greatest) for number in raw]
        total = sum(shares)
        return np.array([[share / total for share in shares]])
    return np.array(raw if len(raw) == 1 else [raw])
