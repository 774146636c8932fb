"""Memory layout of a forest's nodes: two words each, of four bytes where the trees allow it, else of eight.

    threshold   a float; in a leaf, the same bytes are the number of its row in ``value``
    split       the feature in the low bits; above them the distance from the node to its left child, 0 in a leaf

The right child follows the left one, and both come after their parent: every walk goes forward, so it ends. A leaf's
feature is one that no row has, ``features``, which the walk takes as -inf: a row that has arrived stays.

A narrow node keeps a float32 threshold, 8 bits of feature and 24 of distance; so eight nodes share a cache line.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Layout:
    """The types of a node's words, and how many low bits of the split are the feature."""

    word: np.dtype[Any]
    number: np.dtype[Any]
    feature_bits: int

    def holds(self, features: int, distance: int) -> bool:
        """Return whether nodes can name so many features, and children so far ahead."""
        return features < 1 << self.feature_bits and distance < 1 << (8 * self.word.itemsize - self.feature_bits)


NARROW = Layout(np.dtype("<u4"), np.dtype("<f4"), feature_bits=8)
WIDE = Layout(np.dtype("<u8"), np.dtype("<f8"), feature_bits=24)


@dataclass(frozen=True)
class Splits:
    """Nodes as plain columns [nodes]; in a leaf ``ahead`` is 0, and ``feature`` and ``threshold`` mean nothing."""

    ahead: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]


def pack(splits: Splits, features: int, *, single: bool) -> NDArray[Any]:
    """Return nodes [nodes, 2] whose leaves are numbered in order; ``single``: all thresholds are float32 numbers.

    Raises:
        ValueError: there are more features than even a wide node can name.
    """
    distance = int(splits.ahead.max(initial=0))
    layout = NARROW if single and NARROW.holds(features, distance) else WIDE
    if not layout.holds(features, distance):
        raise ValueError(f"a forest takes fewer than {1 << layout.feature_bits} columns, not {features}")
    leaf = splits.ahead == 0
    nodes = np.empty((len(leaf), 2), layout.word)
    nodes[:, 0] = np.where(leaf, 0.0, splits.threshold).astype(layout.number).view(layout.word)
    nodes[leaf, 0] = np.arange(leaf.sum())
    word = layout.word.type
    feature = np.where(leaf, features, splits.feature).astype(word)
    nodes[:, 1] = splits.ahead.astype(word) << word(layout.feature_bits) | feature
    return nodes


def unpack(nodes: NDArray[Any]) -> Splits:
    """Return the columns of packed nodes."""
    layout = layout_of(nodes)
    split = nodes[:, 1].astype(np.int64)
    feature = split & ((1 << layout.feature_bits) - 1)
    return Splits(split >> layout.feature_bits, feature, nodes.view(layout.number)[:, 0].astype(np.float64))


def layout_of(nodes: NDArray[Any]) -> Layout:
    """Return the layout that an array of nodes has."""
    return NARROW if nodes.dtype == NARROW.word else WIDE
