"""One kind of model, as the trainer uses it."""

from collections.abc import Callable, Sequence
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
    a matrix of the given width. ``monotone`` gives the parameters that hold an estimator to a direction for each column
    of the matrix (1 up, -1 down, 0 either way), ``quantile`` those that fit a regression to a quantile of the target;
    None where none do. ``rounds`` is the parameter that counts the trees, or rounds of them: with fewer a fit is
    cheaper, and says already how good the other parameters are.
    """

    defaults: Params
    space: dict[str, Range]
    estimator: Callable[[Task, Params, int], Any]
    engine: Callable[[Any, int], Engine]
    rounds: str | None = None
    monotone: Callable[[Sequence[int]], Params] | None = None
    quantile: Callable[[float], Params] | None = None

    def held_to(
        self, directions: Sequence[int], task: Task, params: Params, seed: int, quantile: float | None = None
    ) -> Any:
        """Return an unfitted estimator that is held to ``directions``, one for each column of the matrix.

        Of a regression it answers the ``quantile``, where there is one, else the mean.
        """
        estimator = self.estimator(task, params, seed)
        if any(directions):
            assert self.monotone is not None, "the contract lets no such candidate pass"
            estimator.set_params(**self.monotone(directions))
        if quantile is not None:
            assert self.quantile is not None, "the contract lets no such candidate pass"
            estimator.set_params(**self.quantile(quantile))
        return estimator
