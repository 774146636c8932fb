"""From the trees of a library to the flat arrays of the forest engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from interlock_modeling.engines.forest import ForestEngine, Precision
from interlock_modeling.engines.forest_nodes import Splits, pack
from interlock_modeling.engines.links import Link
from numpy.typing import NDArray
from sklearn.base import is_classifier

_BLOCK = 4
"""Levels: up to 15 pairs of narrow nodes, which are four cache lines."""


@dataclass(frozen=True)
class Tree:
    """One tree as libraries keep it: rows with ``x[feature] <= threshold`` go left; a leaf's ``left`` is -1.

    All arrays are [nodes], ``value`` is [nodes, m]; the root is node 0, and nodes that it does not reach may be there.
    """

    left: NDArray[Any]
    right: NDArray[Any]
    feature: NDArray[Any]
    threshold: NDArray[Any]
    value: NDArray[Any]


def tree_of(tree: Any) -> Tree:
    """Return a tree of scikit-learn; a leaf has the mean target [1], or the share of each class [k]."""
    return Tree(tree.children_left, tree.children_right, tree.feature, tree.threshold, tree.value[:, 0, :])


def boosted_link(fitted: Any, outputs: int) -> Link:
    """Return what makes answers of a boosted ensemble's sums, of which a classifier of two labels has one."""
    if not is_classifier(fitted):
        return "identity"
    return "logistic" if outputs == 1 else "softmax"


def flatten(
    trees: Sequence[Tree],
    *,
    outputs: Sequence[int],
    base: NDArray[np.float64],
    scale: float,
    link: Link,
    features: int,
    precision: Precision,
) -> ForestEngine:
    """Lay out trees for the engine; tree ``t`` adds to the outputs from ``outputs[t]`` on.

    ``precision`` is the type to which the library casts rows before it compares; a float32 row is at most the
    threshold exactly when it is at most the next float32 at or below it, so thresholds are rounded down.
    """
    laid_out = [_by_blocks(tree) for tree in trees]
    starts = np.cumsum([0, *(len(order) for order, _ in laid_out)])
    value, feature, threshold = (
        np.concatenate([getattr(tree, name)[order] for tree, (order, _) in zip(trees, laid_out, strict=True)])
        for name in ("value", "feature", "threshold")
    )
    ahead = np.concatenate([ahead for _, ahead in laid_out])
    splits = Splits(ahead, feature.astype(np.int64), _rounded_down(threshold, precision).astype(np.float64))
    return ForestEngine(
        nodes=pack(splits, features, single=precision == "float32"),
        roots=starts[:-1].astype(np.uint64),
        output=np.asarray(outputs, dtype=np.int64),
        value=value[ahead == 0].astype(np.float64),
        base=base,
        scale=scale,
        link=link,
        features=features,
        precision=precision,
    )


def _by_blocks(tree: Tree) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the reachable nodes in their new order, and how far ahead of each one its left child is; 0 for a leaf.

    Siblings are neighbours and come after their parent. What lies at most ``_BLOCK`` levels below a node is together:
    a row then meets far fewer cache lines than in an order level by level.
    """
    levels = [np.zeros(1, dtype=np.int64)]
    blocks = [np.zeros(1, dtype=np.int64)]
    left_child = []
    end = 1
    while len(levels[-1]):
        level = levels[-1]
        inner = tree.left[level] != -1
        child = np.full(len(level), -1)
        child[inner] = end + 2 * np.arange(inner.sum())
        left_child.append(child)
        block = end + np.arange(inner.sum()) if len(levels) % _BLOCK == 1 else blocks[-1][inner]
        blocks.append(np.repeat(block, 2))
        parents = level[inner]
        levels.append(np.column_stack((tree.left[parents], tree.right[parents])).ravel().astype(np.int64))
        end += len(levels[-1])
    order = np.argsort(np.concatenate(blocks), kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(end)
    child = np.concatenate(left_child)[order]
    return np.concatenate(levels)[order], np.where(child == -1, 0, place[child] - np.arange(end))


def _rounded_down(threshold: NDArray[Any], precision: Precision) -> NDArray[Any]:
    rounded = threshold.astype(precision)
    below = np.nextafter(rounded, rounded.dtype.type(-np.inf))
    return np.where(rounded > threshold, below, rounded)
