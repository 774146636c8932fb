"""Random forests of scikit-learn, bounded so that the served file stays within some tens of megabytes."""

from typing import Any

import numpy as np
from interlock_modeling.engines import ForestEngine
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from interlock_trainer.kinds.kind import Kind, Params, Range, Task
from interlock_trainer.kinds.trees import Tree, flatten


def _estimator(task: Task, params: Params, seed: int) -> Any:
    make = RandomForestRegressor if task == "regression" else RandomForestClassifier
    return make(**params, n_jobs=1, random_state=seed)


def _engine(fitted: Any, width: int) -> ForestEngine:
    trees = [_tree(member.tree_) for member in fitted.estimators_]
    return flatten(
        trees,
        outputs=[0] * len(trees),
        base=np.zeros(trees[0].value.shape[1]),
        scale=1.0 / len(trees),
        link="identity",
        features=width,
        precision="float32",
    )


def _tree(tree: Any) -> Tree:
    """Return a tree whose leaves hold the mean target [1], or the share of each class [k]."""
    return Tree(tree.children_left, tree.children_right, tree.feature, tree.threshold, tree.value[:, 0, :])


RANDOM_FOREST = Kind(
    defaults={"n_estimators": 100, "max_depth": 14, "min_samples_leaf": 2, "max_features": 0.5},
    space={
        "n_estimators": Range(50, 200, whole=True),
        "max_depth": Range(4, 16, whole=True),
        "min_samples_leaf": Range(1, 20, log=True, whole=True),
        "max_features": Range(0.2, 1.0),
    },
    estimator=_estimator,
    engine=_engine,
    monotone=lambda directions: {"monotonic_cst": list(directions)},
)
