"""A model as it was saved, as far as an import needs it; one flavour a file beside this one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from interlock_modeling.engines import Engine
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Original:
    """A model that takes numbers: what it calls its inputs, if it does, and of how many numbers each row is, if fixed.

    ``engine`` translates it for a matrix of the given width; ``answer`` is its own library's answer to a matrix
    [n, width]: predictions [n], or probabilities [n, k]. Both raise ``DataError`` for what is not imported.
    """

    names: list[str] | None
    width: int | None
    engine: Callable[[int], Engine]
    answer: Callable[[Matrix], Matrix]
