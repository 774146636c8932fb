"""Linear models: ridge regression, and logistic regression."""

from typing import Any

import numpy as np
from interlock_modeling.engines import LinearEngine
from sklearn.linear_model import LogisticRegression, Ridge

from interlock_trainer.kinds.kind import Kind, Params, Range, Task

MAX_ITERATIONS = 500


def _estimator(task: Task, params: Params, seed: int) -> Any:
    if task == "regression":
        return Ridge(alpha=params["penalty"], random_state=seed)
    return LogisticRegression(C=1.0 / params["penalty"], max_iter=MAX_ITERATIONS, random_state=seed)


def _engine(fitted: Any, width: int) -> LinearEngine:
    coefficients = np.asarray(fitted.coef_, dtype=np.float64).reshape(-1, width)
    intercepts = np.atleast_1d(np.asarray(fitted.intercept_, dtype=np.float64))
    if isinstance(fitted, Ridge):
        return LinearEngine(coefficients, intercepts, "identity")
    return LinearEngine(coefficients, intercepts, "logistic" if len(coefficients) == 1 else "softmax")


LINEAR = Kind(
    defaults={"penalty": 1.0},
    space={"penalty": Range(1e-4, 1e4, log=True)},
    estimator=_estimator,
    engine=_engine,
)
