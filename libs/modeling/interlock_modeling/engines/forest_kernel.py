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
from types import FunctionType
from typing import Any, Literal, TypeVar, cast

import numpy as np
from numba import from_dtype, njit, types
from numpy.typing import NDArray

from interlock_modeling.engines.forest_nodes import NARROW, WIDE, Layout

_logger = logging.getLogger(__name__)

_Function = TypeVar("_Function", bound=Callable[..., Any])

_LANES = 8
"""Walks that go on together: while one waits for memory, the others compute."""

_ROWS_AT_ONCE = 1_024
"""Rows that meet a tree together: they stay in the processor's cache, and so does the tree for a while."""

_ONE = np.uint64(1)
_TWO = np.uint64(2)

IDENTITY = 0
LOGISTIC = 1
SOFTMAX = 2

SOUND = 0
WRONG_LEAF = 1
WRONG_SPLIT = 2
WRONG_VALUE = 3


def _inner(function: _Function) -> _Function:
    return cast("_Function", njit(nogil=True)(function))


def _inlined(function: _Function) -> _Function:
    """Compile anew wherever it is called, with what is constant there."""
    return cast("_Function", njit(nogil=True, inline="always")(function))


@_inner
def _next(words: Any, numbers: Any, bits: Any, cells: Any, row: Any, at: Any) -> Any:
    """Return where the row that begins at ``cells[row]`` goes from node ``at``; from a leaf, nowhere."""
    split = np.uint64(words[_TWO * at + _ONE])
    feature = split & ((_ONE << bits) - _ONE)
    return at + (split >> bits) + np.uint64(cells[row + feature] > numbers[_TWO * at])


@_inner
def _leaf(words: Any, numbers: Any, bits: Any, cells: Any, row: Any, root: Any) -> Any:
    at = root
    while True:
        moved = _next(words, numbers, bits, cells, row, at)
        if moved == at:
            return at
        at = moved


@_inlined
def _leaves(words: Any, numbers: Any, bits: Any, cells: Any, row: Any, step: Any, roots: Any) -> Any:
    """Walk eight pairs of a row and a root, rows ``step`` cells apart, until none moves; nothing else branches."""
    a, b, c, d, e, f, g, h = roots
    while True:
        a_next = _next(words, numbers, bits, cells, row, a)
        b_next = _next(words, numbers, bits, cells, row + step, b)
        c_next = _next(words, numbers, bits, cells, row + _TWO * step, c)
        d_next = _next(words, numbers, bits, cells, row + np.uint64(3) * step, d)
        e_next = _next(words, numbers, bits, cells, row + np.uint64(4) * step, e)
        f_next = _next(words, numbers, bits, cells, row + np.uint64(5) * step, f)
        g_next = _next(words, numbers, bits, cells, row + np.uint64(6) * step, g)
        h_next = _next(words, numbers, bits, cells, row + np.uint64(7) * step, h)
        moved = (a ^ a_next) | (b ^ b_next) | (c ^ c_next) | (d ^ d_next)
        moved |= (e ^ e_next) | (f ^ f_next) | (g ^ g_next) | (h ^ h_next)
        a, b, c, d, e, f, g, h = a_next, b_next, c_next, d_next, e_next, f_next, g_next, h_next
        if moved == 0:
            return a, b, c, d, e, f, g, h


@_inner
def _add(sums: Any, row: Any, first: Any, value: Any, leaf: Any) -> None:
    for column in range(value.shape[1]):
        sums[row, first + column] += value[leaf, column]


@_inner
def _one_row(
    words: Any, numbers: Any, bits: Any, cells: Any, row: Any, roots: Any, output: Any, value: Any, sums: Any
) -> None:
    """Add the leaves of all trees that the row of these cells reaches: eight trees in step."""
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
        leaves = _leaves(words, numbers, bits, cells, np.uint64(0), np.uint64(0), together)
        for lane in range(_LANES):
            _add(sums, row, output[tree + lane], value, words[_TWO * leaves[lane]])
    for tree in range(whole, len(roots)):
        _add(
            sums, row, output[tree], value, words[_TWO * _leaf(words, numbers, bits, cells, np.uint64(0), roots[tree])]
        )


@_inner
def _many_rows(
    words: Any, numbers: Any, bits: Any, cells: Any, count: Any, roots: Any, output: Any, value: Any, sums: Any
) -> None:
    """Add the leaves that the block's first rows reach, a multiple of eight: tree by tree, eight rows in step."""
    width = len(cells) // len(sums)
    for tree in range(len(roots)):
        root = roots[tree]
        for row in range(0, count, _LANES):
            together = (root, root, root, root, root, root, root, root)
            leaves = _leaves(words, numbers, bits, cells, np.uint64(row * width), np.uint64(width), together)
            for lane in range(_LANES):
                _add(sums, row + lane, output[tree], value, words[_TWO * leaves[lane]])


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
    words: Any,
    numbers: Any,
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
    cells = np.empty(min(count, _ROWS_AT_ONCE) * (features + 1))
    for start in range(0, count, _ROWS_AT_ONCE):
        size = min(_ROWS_AT_ONCE, count - start)
        at = 0
        for row in range(start, start + size):
            for feature in range(features):
                number = matrix[row, feature]
                cells[at + feature] = np.float32(number) if single else number
            cells[at + features] = -np.inf  # what leaves compare, so that nothing ever goes on from them
            at += features + 1
        block, sums = cells[:at], raw[start : start + size]
        whole = size - size % _LANES
        if whole:
            _many_rows(words, numbers, bits, block, whole, roots, output, value, sums)
        for row in range(whole, size):
            one = block[row * (features + 1) : (row + 1) * (features + 1)]
            _one_row(words, numbers, bits, one, row, roots, output, value, sums)
    for at in range(count):
        for column in range(len(base)):
            raw[at, column] = base[column] + scale * raw[at, column]
        if link == LOGISTIC:
            _logistic(raw[at])
        elif link == SOFTMAX:
            _softmax(raw[at])
    return raw


def _check(words: Any, numbers: Any, bits: Any, features: Any, roots: Any, value: Any) -> Any:
    """Return ``SOUND`` if every walk ends at a leaf with finite values, inside of its tree; else what is wrong."""
    for tree in range(len(roots)):
        end = roots[tree + 1] if tree + 1 < len(roots) else np.uint64(len(words) // 2)
        for at in range(roots[tree], end):
            split = np.uint64(words[_TWO * at + _ONE])
            feature = split & ((_ONE << bits) - _ONE)
            ahead = split >> bits
            if ahead == 0:
                if feature != features or np.uint64(words[_TWO * at]) >= np.uint64(len(value)):
                    return WRONG_LEAF
            elif feature >= features or at + ahead + _ONE >= end or np.isnan(numbers[_TWO * at]):
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


def _cached(function: Callable[..., Any], layout: str) -> Any:
    """Return a copy with files of its own in numba's cache.

    Processes that compile one function for different types at once may write the code of one under the name of another.
    """
    copy = FunctionType(function.__code__, function.__globals__, function.__name__)
    copy.__qualname__ = f"{function.__qualname__}_{layout}"
    try:
        return njit(nogil=True, cache=True)(copy)
    except RuntimeError as error:  # no folder for the cache
        _logger.warning("forests are compiled anew in every process: %s; set NUMBA_CACHE_DIR", error)
        return njit(nogil=True)(copy)


_FUNCTIONS = {
    layout: (_cached(_walk, name), _cached(_check, name)) for name, layout in (("narrow", NARROW), ("wide", WIDE))
}


@functools.cache
def kernels(layout: Layout) -> Kernels:
    """Return the functions for nodes of this layout.

    They take plain arrays: numba names records by the order in which a process meets them, so code from the caches of
    two processes can have one name for narrow and wide nodes.
    """
    words, numbers = _array(from_dtype(layout.word)), _array(from_dtype(layout.number))
    bits, roots, outputs = types.uint64, _array(types.uint64), _array(types.int64)
    value, base, matrix = _array(types.float64, 2), _array(types.float64), _array(types.float64, 2, "A")
    settings = (types.float64, types.int64)
    walk, check = _FUNCTIONS[layout]
    walk.compile((words, numbers, bits, types.boolean, roots, outputs, value, base, *settings, matrix))
    check.compile((words, numbers, bits, types.uint64, roots, value))
    for function in (walk, check):
        function.disable_compile()
    return Kernels(walk, check)


def prepare() -> None:
    """Have the functions for both layouts at hand: a second where numba's cache has them, else several."""
    kernels(NARROW)
    kernels(WIDE)


def _array(kind: Any, dimensions: int = 1, layout: Literal["C", "A"] = "C") -> Any:
    return types.Array(kind, dimensions, layout, readonly=True)
