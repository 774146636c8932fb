"""The walk through a forest's nodes, compiled by numba; imported only where a forest is loaded.

Signatures are explicit, so nothing is compiled while rows wait. Compiled code is kept where numba keeps it: beside this
file, else in the user's cache folder, or where ``NUMBA_CACHE_DIR`` says. Where none can be written to, each process
compiles anew, which takes seconds. See decision 0040.

All functions stay in this one file: numba's cache notices changes of the file that it compiled from, of no other.
"""

# ruff: noqa: PLR0917 - numba's functions take arrays and numbers, no objects
import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

import numpy as np
from numba import from_dtype, njit, types
from numpy.typing import NDArray

from interlock_modeling.engines.forest_nodes import NARROW, WIDE

_logger = logging.getLogger(__name__)

_Function = TypeVar("_Function", bound=Callable[..., Any])

_LANES = 8
"""Walks that go on together: while one waits for memory, the others compute."""

_ROWS_AT_ONCE = 1_024
"""Rows that meet a tree together: they stay in the processor's cache, and so does the tree for a while."""

IDENTITY = 0
LOGISTIC = 1
SOFTMAX = 2

SOUND = 0
WRONG_LEAF = 1
WRONG_SPLIT = 2
WRONG_VALUE = 3


def _inner(function: _Function) -> _Function:
    return cast("_Function", njit(nogil=True)(function))


@_inner
def _next(nodes: Any, feature_bits: Any, row: Any, at: Any) -> Any:
    """Return where ``row`` goes from node ``at``; from a leaf, nowhere."""
    node = nodes[at]
    split = np.uint64(node.split)
    feature = split & ((np.uint64(1) << feature_bits) - np.uint64(1))
    return at + (split >> feature_bits) + np.uint64(row[feature] > node.threshold)


@_inner
def _leaf(nodes: Any, feature_bits: Any, row: Any, root: Any) -> Any:
    at = root
    while True:
        moved = _next(nodes, feature_bits, row, at)
        if moved == at:
            return at
        at = moved


@_inner
def _leaves(nodes: Any, bits: Any, rows: Any, roots: Any) -> Any:
    """Walk eight (row, root) pairs in step, until none moves; there is no other branch."""
    a, b, c, d, e, f, g, h = roots
    while True:
        a_next = _next(nodes, bits, rows[0], a)
        b_next = _next(nodes, bits, rows[1], b)
        c_next = _next(nodes, bits, rows[2], c)
        d_next = _next(nodes, bits, rows[3], d)
        e_next = _next(nodes, bits, rows[4], e)
        f_next = _next(nodes, bits, rows[5], f)
        g_next = _next(nodes, bits, rows[6], g)
        h_next = _next(nodes, bits, rows[7], h)
        moved = (a ^ a_next) | (b ^ b_next) | (c ^ c_next) | (d ^ d_next)
        moved |= (e ^ e_next) | (f ^ f_next) | (g ^ g_next) | (h ^ h_next)
        a, b, c, d, e, f, g, h = a_next, b_next, c_next, d_next, e_next, f_next, g_next, h_next
        if moved == 0:
            return a, b, c, d, e, f, g, h


@_inner
def _add(sums: Any, first: Any, value: Any, leaf: Any) -> None:
    for column in range(value.shape[1]):
        sums[first + column] += value[leaf, column]


@_inner
def _one_row(nodes: Any, bits: Any, row: Any, roots: Any, output: Any, value: Any, sums: Any) -> None:
    """Add the leaves of all trees that one row reaches: eight trees in step."""
    whole = len(roots) - len(roots) % _LANES
    for tree in range(0, whole, _LANES):
        together = (
            roots[tree],
            roots[tree + 1],
            roots[tree + 2],
            roots[tree + 3],
            roots[tree + 4],
            roots[tree + 5],
            roots[tree + 6],
            roots[tree + 7],
        )
        leaves = _leaves(nodes, bits, (row, row, row, row, row, row, row, row), together)
        for lane in range(_LANES):
            _add(sums, output[tree + lane], value, nodes[leaves[lane]].leaf)
    for tree in range(whole, len(roots)):
        _add(sums, output[tree], value, nodes[_leaf(nodes, bits, row, roots[tree])].leaf)


@_inner
def _many_rows(nodes: Any, bits: Any, rows: Any, roots: Any, output: Any, value: Any, sums: Any) -> None:
    """Add the leaves that a multiple of eight rows reaches: tree by tree, eight rows in step."""
    for tree in range(len(roots)):
        root = roots[tree]
        for at in range(0, len(rows), _LANES):
            together = (
                rows[at],
                rows[at + 1],
                rows[at + 2],
                rows[at + 3],
                rows[at + 4],
                rows[at + 5],
                rows[at + 6],
                rows[at + 7],
            )
            leaves = _leaves(nodes, bits, together, (root, root, root, root, root, root, root, root))
            for lane in range(_LANES):
                _add(sums[at + lane], output[tree], value, nodes[leaves[lane]].leaf)


@_inner
def _logistic(raw: Any) -> None:
    """Turn the sum of the positive class, at 1, into the probabilities of both."""
    raw[1] = 1.0 / (1.0 + np.exp(-raw[1]))
    raw[0] = 1.0 - raw[1]


@_inner
def _softmax(raw: Any) -> None:
    greatest = raw.max()
    total = 0.0
    for at in range(len(raw)):
        raw[at] = np.exp(raw[at] - greatest)
        total += raw[at]
    for at in range(len(raw)):
        raw[at] /= total


def _walk(
    nodes: Any,
    bits: Any,
    single: Any,
    roots: Any,
    output: Any,
    value: Any,
    base: Any,
    scale: Any,
    link: Any,
    matrix: Any,
) -> Any:
    """Return link(base + scale * (sum of leaf values)) [n, outputs]; each row's sum is in the order of the trees."""
    count, features = matrix.shape
    raw = np.zeros((count, len(base)))
    rows = np.empty((min(count, _ROWS_AT_ONCE), features + 1))
    rows[:, features] = -np.inf  # what leaves compare, so that nothing ever goes on from them
    for start in range(0, count, _ROWS_AT_ONCE):
        size = min(_ROWS_AT_ONCE, count - start)
        for at in range(size):
            for feature in range(features):
                number = matrix[start + at, feature]
                rows[at, feature] = np.float32(number) if single else number
        sums = raw[start : start + size]
        whole = size - size % _LANES
        if whole:
            _many_rows(nodes, bits, rows[:whole], roots, output, value, sums)
        for at in range(whole, size):
            _one_row(nodes, bits, rows[at], roots, output, value, sums[at])
    for at in range(count):
        for column in range(len(base)):
            raw[at, column] = base[column] + scale * raw[at, column]
        if link == LOGISTIC:
            _logistic(raw[at])
        elif link == SOFTMAX:
            _softmax(raw[at])
    return raw


def _check(nodes: Any, bits: Any, features: Any, roots: Any, value: Any) -> Any:
    """Return ``SOUND`` if every walk ends at a leaf with finite values, inside of its tree; else what is wrong."""
    for tree in range(len(roots)):
        end = roots[tree + 1] if tree + 1 < len(roots) else np.uint64(len(nodes))
        for at in range(roots[tree], end):
            node = nodes[at]
            split = np.uint64(node.split)
            feature = split & ((np.uint64(1) << bits) - np.uint64(1))
            ahead = split >> bits
            if ahead == 0:
                if feature != features or node.leaf >= len(value):
                    return WRONG_LEAF
            elif feature >= features or at + ahead + np.uint64(1) >= end or np.isnan(node.threshold):
                return WRONG_SPLIT
    for leaf in range(value.shape[0]):
        for column in range(value.shape[1]):
            if not np.isfinite(value[leaf, column]):
                return WRONG_VALUE
    return SOUND


@dataclass(frozen=True)
class Kernels:
    """The compiled functions for one layout of nodes; both release the interpreter lock."""

    walk: Callable[..., NDArray[np.float64]]
    check: Callable[..., int]


@functools.cache
def kernels(node: np.dtype[Any]) -> Kernels:
    """Return the functions for nodes of this dtype."""
    nodes, roots, numbers = _array(from_dtype(node)), _array(types.uint64), _array(types.float64)
    values, bits = _array(types.float64, 2), types.uint64
    outputs, matrix = _array(types.int64), _array(types.float64, 2, "A")
    walk = types.float64[:, ::1](
        nodes, bits, types.boolean, roots, outputs, values, numbers, types.float64, types.int64, matrix
    )
    check = types.int64(nodes, bits, types.uint64, roots, values)
    return Kernels(_compiled(_walk, walk), _compiled(_check, check))


def prepare() -> None:
    """Have the functions for both layouts at hand: a second where numba's cache has them, else several."""
    kernels(NARROW.node)
    kernels(WIDE.node)


def _array(kind: Any, dimensions: int = 1, layout: Literal["C", "A"] = "C") -> Any:
    return types.Array(kind, dimensions, layout, readonly=True)


def _compiled(function: Callable[..., Any], signature: Any) -> Callable[..., Any]:
    try:
        return cast("Callable[..., Any]", njit([signature], nogil=True, cache=True)(function))
    except RuntimeError as error:  # no folder for the cache
        _logger.warning("forests are compiled anew in every process: %s; set NUMBA_CACHE_DIR", error)
        return cast("Callable[..., Any]", njit([signature], nogil=True)(function))
