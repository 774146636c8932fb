"""Linear models: least squares and logistic regression, with a quadratic penalty, an absolute one, or a mix of both.

For logistic regression ``penalty`` is divided by nothing: it is the reciprocal of scikit-learn's ``C``.
"""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from interlock_modeling.engines import LinearEngine
from sklearn.base import is_classifier
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge

from interlock_trainer.kinds.kind import Kind, Params, Range, Task

MAX_ITERATIONS = 500
"""Of the solver of a quadratic penalty."""

_MORE_ITERATIONS = 2000
"""Of coordinate descent and of SAGA, which take cheaper steps."""

_INTERCEPT_STEPS, _INTERCEPT_TOLERANCE = 100, 1e-9
_BINARY = 2


def _ridge(task: Task, params: Params, seed: int) -> Any:
    if task == "regression":
        return Ridge(alpha=params["penalty"], random_state=seed)
    return LogisticRegression(C=1.0 / params["penalty"], max_iter=MAX_ITERATIONS, random_state=seed)


def _sparse(share: Callable[[Params], float]) -> Callable[[Task, Params, int], Any]:
    """Return what makes estimators whose penalty is absolute to a ``share``; the rest is quadratic."""

    def estimator(task: Task, params: Params, seed: int) -> Any:
        penalty, about = params["penalty"], {"l1_ratio": share(params), "max_iter": _MORE_ITERATIONS}
        if task == "regression":
            return ElasticNet(alpha=penalty, random_state=seed, **about)
        return _SparseLogisticRegression(C=1.0 / penalty, solver="saga", random_state=seed, **about)

    return estimator


class _SparseLogisticRegression(LogisticRegression):  # type: ignore[misc]
    """Logistic regression by SAGA whose intercept fits the coefficients.

    SAGA stops as soon as the coefficients hardly move, or all stay 0, wherever the intercept is by then. At the optimum
    each label has the same weight in the rows and in the answers; scaling the labels' odds by the ratio of both, again
    and again, goes there (iterative proportional fitting, Deming and Stephan 1940).
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        super().fit(X, y, sample_weight)
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        wanted = np.bincount(np.searchsorted(self.classes_, y), weights=weights)
        for _ in range(_INTERCEPT_STEPS):
            step = np.log(wanted / (weights @ self.predict_proba(X)))
            self.intercept_ += step - step.mean() if len(wanted) > _BINARY else np.diff(step)
            if np.abs(step).max() < _INTERCEPT_TOLERANCE:
                break
        return self


def _engine(fitted: Any, width: int) -> LinearEngine:
    coefficients = np.asarray(fitted.coef_, dtype=np.float64).reshape(-1, width)
    intercepts = np.atleast_1d(np.asarray(fitted.intercept_, dtype=np.float64))
    if not is_classifier(fitted):
        return LinearEngine(coefficients, intercepts, "identity")
    return LinearEngine(coefficients, intercepts, "logistic" if len(coefficients) == 1 else "softmax")


LINEAR = Kind(
    defaults={"penalty": 1.0},
    space={"penalty": Range(1e-4, 1e4, log=True)},
    estimator=_ridge,
    engine=_engine,
)
LASSO = Kind(
    defaults={"penalty": 0.01},
    space={"penalty": Range(1e-4, 1e2, log=True)},
    estimator=_sparse(lambda _: 1.0),
    engine=_engine,
)
ELASTIC_NET = Kind(
    defaults={"penalty": 0.01, "l1_ratio": 0.5},
    space={"penalty": Range(1e-4, 1e2, log=True), "l1_ratio": Range(0.05, 1.0)},
    estimator=_sparse(lambda params: float(params["l1_ratio"])),
    engine=_engine,
)
