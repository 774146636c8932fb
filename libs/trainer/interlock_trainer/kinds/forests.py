"""Decision trees of scikit-learn and their averages, bounded so that the served file stays within tens of megabytes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from interlock_modeling.engines import ForestEngine
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from interlock_trainer.kinds.kind import Kind, Params, Range, Task
from interlock_trainer.kinds.trees import flatten, tree_of


def _made_by(regressor: Any, classifier: Any, **fixed: Any) -> Callable[[Task, Params, int], Any]:
    def estimator(task: Task, params: Params, seed: int) -> Any:
        make = regressor if task == "regression" else classifier
        return make(**params, **fixed, random_state=seed)

    return estimator


def _engine(fitted: Any, width: int) -> ForestEngine:
    """Return the mean of the trees, whose leaves hold the mean target [1], or the share of each class [k]."""
    trees = [tree_of(member.tree_) for member in getattr(fitted, "estimators_", [fitted])]
    return flatten(
        trees,
        outputs=[0] * len(trees),
        base=np.zeros(trees[0].value.shape[1]),
        scale=1.0 / len(trees),
        link="identity",
        features=width,
        precision="float32",
    )


def _monotone(directions: Any) -> Params:
    return {"monotonic_cst": list(directions)}


_FOREST_SPACE = {
    "n_estimators": Range(50, 200, whole=True),
    "max_depth": Range(4, 16, whole=True),
    "min_samples_leaf": Range(1, 20, log=True, whole=True),
    "max_features": Range(0.2, 1.0),
}

DECISION_TREE = Kind(
    defaults={"max_depth": 8, "min_samples_leaf": 5, "max_features": 1.0},
    space={
        "max_depth": Range(2, 16, whole=True),
        "min_samples_leaf": Range(1, 50, log=True, whole=True),
        "max_features": Range(0.3, 1.0),
    },
    estimator=_made_by(DecisionTreeRegressor, DecisionTreeClassifier),
    engine=_engine,
    monotone=_monotone,
)
RANDOM_FOREST = Kind(
    defaults={"n_estimators": 100, "max_depth": 14, "min_samples_leaf": 2, "max_features": 0.5},
    space=_FOREST_SPACE,
    estimator=_made_by(RandomForestRegressor, RandomForestClassifier, n_jobs=1),
    engine=_engine,
    rounds="n_estimators",
    monotone=_monotone,
)
EXTRA_TREES = Kind(
    defaults={"n_estimators": 100, "max_depth": 16, "min_samples_leaf": 2, "max_features": 1.0},
    space=_FOREST_SPACE,
    estimator=_made_by(ExtraTreesRegressor, ExtraTreesClassifier, n_jobs=1),
    engine=_engine,
    rounds="n_estimators",
    monotone=_monotone,
)
