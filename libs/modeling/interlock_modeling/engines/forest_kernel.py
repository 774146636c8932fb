"""The walk through a forest's nodes, in C: ``forest_kernel.c``, which the build of this package compiles (0138)."""

from pathlib import Path
from typing import Any

import cffi
import numpy as np
from numpy.typing import NDArray

from interlock_modeling.engines.forest_nodes import WIDE
from interlock_modeling.engines.links import Link

_LINKS: tuple[Link, ...] = ("identity", "logistic", "softmax")  # numbered as in the header
_PROBLEMS = (
    None,
    "a leaf has no value, or a feature",
    "a split has no threshold, no such feature, or children outside of its tree",
    "a value is not finite",
)

_HERE = Path(__file__).parent
_ffi = cffi.FFI()
_ffi.cdef((_HERE / "forest_kernel.h").read_text())
_kernel: Any = _ffi.dlopen(str(_HERE / "libforest.so"))
_DOUBLES = _ffi.typeof("double[]")
_pointer: Any = _ffi.from_buffer  # as typed, it takes no arrays


class ForestKernel:
    """A forest as C reads it: nodes [nodes, 2] of either layout, roots and outputs [trees], values [leaves, columns].

    The arrays are used where they are, and kept. Both methods release the interpreter lock.
    """

    def __init__(
        self,
        nodes: NDArray[Any],
        roots: NDArray[np.uint64],
        output: NDArray[np.int64],
        value: NDArray[np.float64],
        base: NDArray[np.float64],
        *,
        scale: float,
        link: Link,
        features: int,
        single: bool,
    ) -> None:
        self._outputs = len(base)
        self._kept = [
            _pointer(kind, np.ascontiguousarray(array))
            for kind, array in (
                ("char[]", nodes),
                ("uint64_t[]", roots),
                ("int64_t[]", output),
                ("double[]", value),
                ("double[]", base),
            )
        ]
        self._forest = _ffi.new(
            "struct forest *",
            {
                **dict(zip(("nodes", "roots", "output", "value", "base"), self._kept, strict=True)),
                "node_count": len(nodes),
                "trees": len(roots),
                "leaves": value.shape[0],
                "columns": value.shape[1],
                "outputs": len(base),
                "features": features,
                "scale": scale,
                "link": _LINKS.index(link),
                "single": single,
                "wide": nodes.dtype == WIDE.word,
            },
        )

    def check(self) -> str | None:
        """Return what is wrong with the nodes or values, or None: then every walk ends at a leaf of its own tree."""
        return _PROBLEMS[_kernel.forest_check(self._forest)]

    def walk(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return link(base + scale * sum of leaf values) [n, outputs] for a matrix [n, features] of this width.

        Raises:
            MemoryError: there is none for a block of rows.
        """
        rows = np.ascontiguousarray(matrix, np.float64)
        answers = np.empty((len(rows), self._outputs))
        if _kernel.forest_walk(self._forest, _pointer(_DOUBLES, rows), len(rows), _pointer(_DOUBLES, answers)):
            raise MemoryError
        return answers
