"""Gradient boosting of scikit-learn as it was before histograms: exact splits, slower, often better on few rows."""

from typing import Any

import numpy as np
from interlock_modeling.engines import ForestEngine
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

from interlock_trainer.kinds.kind import Kind, Params, Range, Task
from interlock_trainer.kinds.trees import boosted_link, flatten, tree_of


def _estimator(task: Task, params: Params, seed: int) -> Any:
    make = GradientBoostingRegressor if task == "regression" else GradientBoostingClassifier
    return make(**params, random_state=seed)


def _engine(fitted: Any, width: int) -> ForestEngine:
    stages, outputs = fitted.estimators_.shape
    # What its first estimator answers is the same for every row; the export check guards the name.
    base = fitted._raw_predict_init(np.zeros((1, width)))[0].astype(np.float64)  # noqa: SLF001
    return flatten(
        [tree_of(member.tree_) for stage in fitted.estimators_ for member in stage],
        outputs=list(range(outputs)) * stages,
        base=base,
        scale=fitted.learning_rate,
        link=boosted_link(fitted, outputs),
        features=width,
        precision="float32",
    )


CLASSIC_GRADIENT_BOOSTING = Kind(
    defaults={"n_estimators": 100, "learning_rate": 0.1, "max_depth": 3, "min_samples_leaf": 5, "subsample": 0.8},
    space={
        "n_estimators": Range(50, 300, whole=True),
        "learning_rate": Range(0.02, 0.3, log=True),
        "max_depth": Range(2, 7, whole=True),
        "min_samples_leaf": Range(1, 50, log=True, whole=True),
        "subsample": Range(0.5, 1.0),
    },
    estimator=_estimator,
    engine=_engine,
    rounds="n_estimators",
    quantile=lambda quantile: {"loss": "quantile", "alpha": quantile},
)
