"""Trees of which a weighted median is the answer, as AdaBoost.R2 has it (Drucker 1997)."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from interlock_modeling.engines.flat_file import ModelFormatError, StoredFile, write_arrays
from interlock_modeling.engines.forest import ForestEngine

WEIGHTS = "weights"


@dataclass(frozen=True)
class MedianForestEngine:
    """A forest with an output for each tree, and the trees' ``weights`` [trees].

    The answer is the least of the trees' answers such that those up to it have half of all weight.

    Raises:
        ModelFormatError: there are not as many outputs as weights, or one is negative or not finite, or all are 0.
    """

    kind: ClassVar[str] = "median_forest"
    version: ClassVar[int] = 1

    forest: ForestEngine
    weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        weights, forest = self.weights, self.forest
        if weights.dtype != np.float64 or weights.ndim != 1 or not np.isfinite(weights).all() or (weights < 0).any():
            raise ModelFormatError("weights are not a list of finite numbers from 0 up")
        if not weights.sum() > 0:
            raise ModelFormatError("all trees have the weight 0")
        trees = np.arange(len(weights))
        if len(forest.base) != len(trees) or not np.array_equal(forest.output, trees) or forest.link != "identity":
            raise ModelFormatError("the trees and their weights do not fit each other")

    @property
    def features(self) -> int:
        """Return how many matrix columns it takes."""
        return self.forest.features

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions [n] for a matrix [n, features].

        Raises:
            ValueError: the matrix is of another width.
        """
        answers = self.forest.predict(matrix).reshape(len(matrix), -1)
        order = np.argsort(answers, axis=1)
        upto = np.cumsum(self.weights[order], axis=1)
        middle = (upto >= 0.5 * upto[:, -1:]).argmax(axis=1)
        row = np.arange(len(matrix))
        return np.asarray(answers[row, order[row, middle]])

    def save(self, path: Path) -> None:
        attributes, arrays = self.forest.stored
        write_arrays(path, self.kind, self.version, attributes, {**arrays, WEIGHTS: self.weights})

    @classmethod
    def load(cls, stored: StoredFile) -> Self:
        """Use a mapped file.

        Raises:
            ModelFormatError: the file does not hold sound trees and their weights.
        """
        if WEIGHTS not in stored.arrays:
            raise ModelFormatError("not a median forest: the trees have no weights")
        return cls(ForestEngine.load(stored), stored.arrays[WEIGHTS])
