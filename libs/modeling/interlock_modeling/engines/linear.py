"""Linear models: one matrix product and a link."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from interlock_modeling.engines.flat_file import ModelFormatError, StoredFile, write_arrays
from interlock_modeling.engines.links import Link, apply_link
from interlock_modeling.signature import Part


class _Attributes(Part):
    link: Link


@dataclass(frozen=True, slots=True)
class LinearEngine:
    """Coefficients [outputs, features] and intercepts [outputs] over the encoder's matrix."""

    kind: ClassVar[str] = "linear"
    version: ClassVar[int] = 1

    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    link: Link

    @property
    def features(self) -> int:
        """Return how many matrix columns it takes."""
        return int(self.coefficients.shape[1])

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions [n], or class probabilities [n, k], for a matrix [n, features]."""
        with np.errstate(over="ignore", invalid="ignore"):
            raw = np.dot(matrix, self.coefficients.T)
            raw += self.intercepts
            return apply_link(self.link, raw)

    def save(self, path: Path) -> None:
        arrays = {"coefficients": self.coefficients, "intercepts": self.intercepts}
        write_arrays(path, self.kind, self.version, {"link": self.link}, arrays)

    @classmethod
    def load(cls, stored: StoredFile) -> Self:
        """Use a mapped file.

        Raises:
            ModelFormatError: the file does not hold a linear engine with finite numbers.
        """
        try:
            link = _Attributes.model_validate(stored.attributes).link
            engine = cls(stored.arrays["coefficients"], stored.arrays["intercepts"], link)
        except (KeyError, ValidationError) as error:
            raise ModelFormatError(f"not a linear engine: {error}") from error
        if engine.coefficients.ndim != 2 or engine.intercepts.shape != engine.coefficients.shape[:1]:  # noqa: PLR2004
            raise ModelFormatError("coefficients and intercepts do not fit each other")
        for array in (engine.coefficients, engine.intercepts):
            if array.dtype != np.float64 or not np.isfinite(array).all():
                raise ModelFormatError("coefficients and intercepts must be finite float64 numbers")
        return engine
