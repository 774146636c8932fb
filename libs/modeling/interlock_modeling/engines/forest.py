"""Tree ensembles as flat arrays: every tree of scikit-learn and XGBoost, summed in float64.

Node ``i`` sends a row on to ``child[i]`` when ``x[feature[i]] <= threshold[i]``, else to ``child[i] + 1``: siblings are
neighbours, and both come after their parent. A leaf is its own child with threshold +inf, so a row that has arrived
stays there, and all trees can take their steps together without asking who is done. ``value[i]`` [nodes, m] counts
at leaves only; tree ``t`` adds its ``m`` values to the outputs from ``output[t]`` on.

The dtype of ``threshold`` is the one to which rows are cast before they are compared: float32 where the library does
so itself (its thresholds rounded towards -inf), else float64. Comparing in another precision sends rows that lie on
a split to the wrong side.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import FiniteFloat, ValidationError

from interlock_modeling.engines.flat_file import ModelFormatError, read_arrays, write_arrays
from interlock_modeling.engines.links import Link, apply_link
from interlock_modeling.signature import Part

MAX_DEPTH = 1_000

_STEPS_AT_ONCE = 1 << 18
"""Rows times trees that are walked together: the working arrays stay within a few megabytes."""


class _Attributes(Part):
    link: Link
    base: list[FiniteFloat]
    scale: FiniteFloat
    features: int


@dataclass(frozen=True)
class ForestEngine:
    """Trees whose leaf values are added, times ``scale``, to ``base`` [outputs] before the link.

    Raises:
        ModelFormatError: the arrays are not sound trees; walking them might not end, or leave them.
    """

    kind: ClassVar[str] = "forest"
    version: ClassVar[int] = 1

    roots: NDArray[np.int32]
    output: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[Any]
    child: NDArray[np.int32]
    value: NDArray[np.float64]
    base: NDArray[np.float64]
    scale: float
    link: Link
    features: int
    depth: int = field(init=False)
    """Steps from a root to the deepest leaf."""

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_links(self)
        object.__setattr__(self, "depth", _depth(self))

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions [n], or class probabilities [n, k], for a matrix [n, features]."""
        with np.errstate(over="ignore"):  # beyond float32 is infinite there, and so on the right side of every split
            inputs = matrix.astype(self.threshold.dtype)
        raw = np.tile(self.base, (len(inputs), 1))
        chunk = max(1, _STEPS_AT_ONCE // len(self.roots))
        for start in range(0, len(inputs), chunk):
            leaves = self._leaves(inputs[start : start + chunk])
            self._add(raw[start : start + chunk], leaves)
        return apply_link(self.link, raw)

    def _leaves(self, rows: NDArray[Any]) -> NDArray[np.int32]:
        """Return the leaf [n, trees] that each row reaches in each tree."""
        node = np.tile(self.roots, (len(rows), 1))
        each_row = np.arange(len(rows))[:, None]
        for _ in range(self.depth):
            right = rows[each_row, self.feature[node]] > self.threshold[node]
            node = self.child[node] + right
        return node

    def _add(self, raw: NDArray[np.float64], leaves: NDArray[np.int32]) -> None:
        width = self.value.shape[1]
        for first in np.unique(self.output):
            values = self.value[leaves[:, self.output == first]]
            raw[:, first : first + width] += self.scale * values.sum(axis=1)

    def save(self, path: Path) -> None:
        """Write the engine file."""
        attributes = {
            "link": self.link,
            "base": self.base.tolist(),
            "scale": float(self.scale),
            "features": self.features,
        }
        write_arrays(path, self.kind, self.version, attributes, {name: getattr(self, name) for name in _ARRAYS})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Map an engine file.

        Raises:
            ModelFormatError: the file does not hold sound trees.
        """
        header, arrays = read_arrays(path)
        try:
            attributes = _Attributes.model_validate(header.attributes)
            flat = {name: arrays[name] for name in _ARRAYS}
        except (KeyError, ValidationError) as error:
            raise ModelFormatError(f"not a forest engine: {error}") from error
        return cls(
            **flat,
            base=np.array(attributes.base, dtype=np.float64),
            scale=attributes.scale,
            link=attributes.link,
            features=attributes.features,
        )


_ARRAYS = ("roots", "output", "feature", "threshold", "child", "value")


def _check_shapes(engine: ForestEngine) -> None:
    for array in (engine.roots, engine.output, engine.feature, engine.child):
        _require(array.dtype == np.int32 and array.ndim == 1, "an index array is not int32")
    _require(engine.threshold.dtype.kind == "f" and engine.threshold.ndim == 1, "thresholds are not floats")
    _require(engine.value.dtype == np.float64 and engine.value.ndim == 2, "values are not a float64 table")  # noqa: PLR2004
    for array in (engine.feature, engine.threshold, engine.child):
        _require(len(array) == len(engine.value), "the nodes' arrays differ in length")
    _require(0 < len(engine.roots) == len(engine.output), "roots and outputs do not fit each other")


def _check_links(engine: ForestEngine) -> None:
    nodes = len(engine.child)
    leaf = _leaf_mask(engine)
    inner = np.flatnonzero(~leaf)
    children = engine.child[inner].astype(np.int64)
    both = np.concatenate((children, children + 1))
    last_output = len(engine.base) - engine.value.shape[1]
    _require(_within(engine.roots, nodes), "a root lies outside of the file")
    _require(_within(engine.feature, engine.features), "a node asks for a feature that is not there")
    _require(_within(engine.output, last_output + 1), "a tree adds to an output that is not there")
    _require(_within(both, nodes) and (children > inner).all(), "a child lies before its parent or outside of the file")
    _require(_are_distinct(both), "two nodes share a child")
    _require(_are_distinct(engine.roots), "two trees share a root")
    _require(not np.isnan(engine.threshold).any(), "a threshold is not a number")
    _require(np.isposinf(engine.threshold[leaf]).all(), "a leaf has a threshold")
    _require(np.isfinite(engine.value).all(), "a value is not finite")


def _depth(engine: ForestEngine) -> int:
    leaf = _leaf_mask(engine)
    level = engine.roots[~leaf[engine.roots]]
    depth = 0
    while len(level):
        depth += 1
        if depth > MAX_DEPTH:
            raise ModelFormatError(f"a tree is deeper than {MAX_DEPTH}")
        below = np.concatenate((engine.child[level], engine.child[level] + 1))
        level = below[~leaf[below]]
    return depth


def _leaf_mask(engine: ForestEngine) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = engine.child == np.arange(len(engine.child))
    return mask


def _within(array: NDArray[Any], end: int) -> bool:
    return not len(array) or (int(array.min()) >= 0 and int(array.max()) < end)


def _are_distinct(array: NDArray[Any]) -> bool:
    """Tell whether no number occurs twice, of numbers from 0; counting them is much faster than sorting."""
    return not len(array) or int(np.bincount(array).max()) == 1


def _require(holds: bool | np.bool_, text: str) -> None:  # noqa: FBT001
    if not holds:
        raise ModelFormatError(text)
