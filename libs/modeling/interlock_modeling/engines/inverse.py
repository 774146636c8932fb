"""Engines whose answers are a transformed target: they are given back in the target's own unit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from interlock_contracts.pipeline import Transform
from numpy.typing import NDArray

Floats = NDArray[np.float64]

INVERSES: dict[Transform, Callable[[Floats], Floats]] = {"log1p": np.expm1, "log": np.exp}


class Predictor(Protocol):
    """What computes answers from an encoded matrix."""

    @property
    def features(self) -> int:
        """Return how many matrix columns it takes."""

    def predict(self, matrix: Floats) -> Floats:
        """Return predictions [n], or class probabilities [n, k], for a matrix [n, features]."""


@dataclass(frozen=True, slots=True)
class InverseEngine:
    """The inverse of a transform over an engine's answers; made when a model is loaded, so it has no file."""

    engine: Predictor
    inverse: Callable[[Floats], Floats]

    @property
    def features(self) -> int:
        """Return how many matrix columns the engine takes."""
        return self.engine.features

    def predict(self, matrix: Floats) -> Floats:
        """Return predictions [n] for a matrix [n, features]; infinite where they are too large for a float64."""
        with np.errstate(over="ignore"):
            return self.inverse(self.engine.predict(matrix))
