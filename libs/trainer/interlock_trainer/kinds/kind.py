"""What the trainer needs to know about one kind of model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from interlock_modeling.engines import Engine

Params = dict[str, Any]
Task = Literal["regression", "classification"]


@dataclass(frozen=True)
class Range:
    """Where the search looks for a number: from ``low`` to ``high``, both inclusive."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Kind:
    """A candidate: ``defaults`` lie inside of ``space``, so that the search can start from them.

    ``estimator`` makes an unfitted scikit-learn estimator that uses one thread and whose ``fit`` takes
    ``sample_weight``, for targets that are numbers, or label indices 0 to k-1. ``engine`` translates a fitted one over
    a matrix of the given width.
    """

    defaults: Params
    space: dict[str, Range]
    estimator: Callable[[Task, Params, int], Any]
    engine: Callable[[Any, int], Engine]
