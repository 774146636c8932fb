"""Tree ensembles of scikit-learn, XGBoost and the like: packed nodes, walked by a compiled kernel, summed in float64.

A row goes left where ``x[feature] <= threshold``. How nodes lie in memory is in ``forest_nodes``, the walk in
``forest_kernel``. The arrays are mapped from the file and used where they are, so processes share them.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import FiniteFloat, ValidationError

from interlock_modeling.engines.flat_file import ModelFormatError, StoredFile, write_arrays
from interlock_modeling.engines.forest_nodes import NARROW, WIDE, unpack
from interlock_modeling.engines.links import Link
from interlock_modeling.signature import Part

if TYPE_CHECKING:
    from interlock_modeling.engines.forest_kernel import ForestKernel

Precision = Literal["float32", "float64"]


class _Attributes(Part):
    link: Link
    base: list[FiniteFloat]
    scale: FiniteFloat
    features: int
    precision: Precision


@dataclass(frozen=True)
class ForestEngine:
    """Trees whose leaf values are added, times ``scale``, to ``base`` [outputs] before the link.

    Tree ``t`` begins at node ``roots[t]`` and ends where the next one begins. Its leaves are rows of ``value``
    [leaves, m], which add to the outputs from ``output[t]`` on. ``precision`` is the type to which rows are rounded
    before they are compared, as the library does in which the trees were grown: with another precision, rows that lie
    on a split go to the wrong side.

    Raises:
        ModelFormatError: the arrays are not sound trees; walking them might leave them.
    """

    kind: ClassVar[str] = "forest"
    version: ClassVar[int] = 2

    nodes: NDArray[Any]
    roots: NDArray[np.uint64]
    output: NDArray[np.int64]
    value: NDArray[np.float64]
    base: NDArray[np.float64]
    scale: float
    link: Link
    features: int
    precision: Precision
    _kernel: "ForestKernel" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        from interlock_modeling.engines.forest_kernel import ForestKernel  # noqa: PLC0415 - only where a forest is loaded

        _check_arrays(self)
        output, base = self.output, self.base
        if self.link == "logistic":  # the kernel adds up the second of two columns, and makes the first of it
            output, base = output + 1, np.array([0.0, base[0]])
        kernel = ForestKernel(
            self.nodes,
            self.roots,
            output,
            self.value,
            base,
            scale=self.scale,
            link=self.link,
            features=self.features,
            single=self.precision == "float32",
        )
        if problem := kernel.check():
            raise ModelFormatError(problem)
        object.__setattr__(self, "_kernel", kernel)

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions [n], or class probabilities [n, k], for a matrix [n, features].

        A row's answer has the same bits, whatever other rows are in the matrix. Releases the interpreter lock.

        Raises:
            ValueError: the matrix is of another width.
        """
        if matrix.shape[1] != self.features:
            raise ValueError(f"the matrix has {matrix.shape[1]} columns, the forest takes {self.features}")
        answers = self._kernel.walk(matrix)
        return answers[:, 0] if answers.shape[1] == 1 else answers

    def thresholds(self, feature: int) -> NDArray[np.float64]:
        """Return the numbers at which a feature splits, sorted and each once."""
        splits = unpack(self.nodes)
        return np.unique(splits.threshold[(splits.feature == feature) & (splits.ahead > 0)])

    @property
    def stored(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the attributes and arrays of its file."""
        attributes = _Attributes(
            link=self.link,
            base=self.base.tolist(),
            scale=float(self.scale),
            features=self.features,
            precision=self.precision,
        )
        arrays = {"nodes": self.nodes, "roots": self.roots, "output": self.output, "value": self.value}
        return attributes.model_dump(), arrays

    def save(self, path: Path) -> None:
        write_arrays(path, self.kind, self.version, *self.stored)

    @classmethod
    def load(cls, stored: StoredFile) -> Self:
        """Use a mapped file.

        Raises:
            ModelFormatError: the file does not hold sound trees.
        """
        try:
            attributes = _Attributes.model_validate(stored.attributes)
            nodes, roots, output, value = (stored.arrays[name] for name in ("nodes", "roots", "output", "value"))
        except (KeyError, ValidationError) as error:
            raise ModelFormatError(f"not a forest engine: {error}") from error
        return cls(
            nodes=nodes,
            roots=roots,
            output=output,
            value=value,
            base=np.array(attributes.base, dtype=np.float64),
            scale=attributes.scale,
            link=attributes.link,
            features=attributes.features,
            precision=attributes.precision,
        )


def _check_arrays(engine: ForestEngine) -> None:
    """Check all but what stands in nodes and values: those are many, so the kernel does it."""
    roots, output, value = engine.roots, engine.output, engine.value
    nodes = engine.nodes
    pairs = nodes.dtype in {NARROW.word, WIDE.word} and nodes.shape[1:] == (2,) and nodes.flags.c_contiguous
    _require(pairs, "nodes are not pairs of words")
    _require(engine.precision == "float32" or nodes.dtype == WIDE.word, "narrow nodes compare float32 only")
    _require(roots.dtype == np.uint64 and roots.ndim == 1, "roots are not uint64")
    _require(output.dtype == np.int64 and output.ndim == 1, "outputs are not int64")
    _require(value.dtype == np.float64 and value.ndim == 2 and value.shape[1] > 0, "values are not a float64 table")  # noqa: PLR2004
    _require(0 < len(roots) == len(output), "roots and outputs do not fit each other")
    _require(engine.base.dtype == np.float64 and engine.base.ndim == 1, "there is no base")
    _require(engine.link != "logistic" or len(engine.base) == 1, "a logistic link takes one output")
    last_output = len(engine.base) - value.shape[1]
    _require(0 <= output.min() <= output.max() <= last_output, "a tree adds to an output that is not there")
    ascend = roots[0] == 0 and (roots[1:] > roots[:-1]).all() and roots[-1] < len(engine.nodes)
    _require(ascend, "trees do not follow each other")
    _require(engine.features >= 0, "a negative number of features")


def _require(holds: bool | np.bool_, text: str) -> None:  # noqa: FBT001
    if not holds:
        raise ModelFormatError(text)
