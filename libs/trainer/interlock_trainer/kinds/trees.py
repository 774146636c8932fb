"""From the trees of a library to the flat arrays of the forest engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from interlock_modeling.engines import ForestEngine
from interlock_modeling.engines.links import Link
from numpy.typing import NDArray


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


def flatten(
    trees: Sequence[Tree],
    *,
    outputs: Sequence[int],
    base: NDArray[np.float64],
    scale: float,
    link: Link,
    features: int,
    precision: type[np.float32 | np.float64],
) -> ForestEngine:
    """Lay out trees for the engine; tree ``t`` adds to the outputs from ``outputs[t]`` on.

    ``precision`` is the type to which the library casts rows before it compares; a float32 row is at most the
    threshold exactly when it is at most the next float32 at or below it, so thresholds are rounded down.
    """
    laid_out = [_breadth_first(tree) for tree in trees]
    starts = np.cumsum([0, *(len(order) for order, _ in laid_out)])
    value = np.concatenate([tree.value[order] for tree, (order, _) in zip(trees, laid_out, strict=True)])
    leaf = np.concatenate([tree.left[order] == -1 for tree, (order, _) in zip(trees, laid_out, strict=True)])
    feature = np.concatenate([tree.feature[order] for tree, (order, _) in zip(trees, laid_out, strict=True)])
    threshold = np.concatenate([tree.threshold[order] for tree, (order, _) in zip(trees, laid_out, strict=True)])
    child = np.concatenate([child + start for (_, child), start in zip(laid_out, starts[:-1], strict=True)])
    return ForestEngine(
        roots=starts[:-1].astype(np.int32),
        output=np.asarray(outputs, dtype=np.int32),
        feature=np.where(leaf, 0, feature).astype(np.int32),
        threshold=np.where(leaf, np.inf, _rounded_down(threshold, precision)).astype(precision),
        child=child.astype(np.int32),
        value=value.astype(np.float64),
        base=base,
        scale=scale,
        link=link,
        features=features,
    )


def _breadth_first(tree: Tree) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the reachable nodes level by level, siblings together, and each one's left child in that order."""
    levels = [np.zeros(1, dtype=np.int64)]
    children = []
    end = 1
    while len(levels[-1]):
        level = levels[-1]
        start = end - len(level)
        inner = tree.left[level] != -1
        child = np.arange(start, end)
        child[inner] = end + 2 * np.arange(inner.sum())
        children.append(child)
        parents = level[inner]
        levels.append(np.column_stack((tree.left[parents], tree.right[parents])).ravel().astype(np.int64))
        end += len(levels[-1])
    return np.concatenate(levels), np.concatenate(children)


def _rounded_down(threshold: NDArray[Any], precision: type[np.float32 | np.float64]) -> NDArray[Any]:
    rounded = threshold.astype(precision)
    return np.where(rounded > threshold, np.nextafter(rounded, precision(-np.inf)), rounded)
