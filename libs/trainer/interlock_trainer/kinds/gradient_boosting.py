"""Gradient boosting: scikit-learn's histogram variant, see decision 0011."""

from typing import Any

import numpy as np
from interlock_modeling.engines import ForestEngine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from interlock_trainer.kinds.kind import Kind, Params, Range, Task
from interlock_trainer.kinds.trees import Tree, boosted_link, flatten


def _estimator(task: Task, params: Params, seed: int) -> Any:
    make = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    return make(**params, early_stopping=False, random_state=seed)


def _engine(fitted: Any, width: int) -> ForestEngine:
    iterations = fitted._predictors  # noqa: SLF001 - the trees are nowhere else; the export check guards this
    base = np.asarray(fitted._baseline_prediction, dtype=np.float64).ravel()  # noqa: SLF001
    trees = [_tree(predictor.nodes) for iteration in iterations for predictor in iteration]
    return flatten(
        trees,
        outputs=list(range(len(base))) * len(iterations),
        base=base,
        scale=1.0,
        link=boosted_link(fitted, len(base)),
        features=width,
        precision="float64",
    )


def _tree(nodes: Any) -> Tree:
    left = np.where(nodes["is_leaf"] != 0, -1, nodes["left"].astype(np.int64))
    right = nodes["right"].astype(np.int64)
    return Tree(left, right, nodes["feature_idx"], nodes["num_threshold"], nodes["value"][:, None])


GRADIENT_BOOSTING = Kind(
    defaults={
        "max_iter": 150,
        "learning_rate": 0.1,
        "max_leaf_nodes": 31,
        "min_samples_leaf": 20,
        "l2_regularization": 1e-6,
    },
    space={
        "max_iter": Range(50, 300, whole=True),
        "learning_rate": Range(0.02, 0.3, log=True),
        "max_leaf_nodes": Range(7, 63, log=True, whole=True),
        "min_samples_leaf": Range(5, 60, log=True, whole=True),
        "l2_regularization": Range(1e-6, 10.0, log=True),
    },
    estimator=_estimator,
    engine=_engine,
    rounds="max_iter",
    quantile=lambda quantile: {"loss": "quantile", "quantile": quantile},
    monotone=lambda directions: {"monotonic_cst": list(directions)},
)
