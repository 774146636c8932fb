"""LightGBM: histogram trees grown leaf by leaf."""

from typing import Any

import numpy as np
from interlock_modeling.engines import ForestEngine
from lightgbm import LGBMClassifier, LGBMRegressor

from interlock_trainer.kinds.kind import Kind, Params, Range, Task
from interlock_trainer.kinds.trees import Tree, boosted_link, flatten

Node = dict[str, Any]


def _estimator(task: Task, params: Params, seed: int) -> Any:
    make = LGBMRegressor if task == "regression" else LGBMClassifier
    # Which of two ways builds the histograms is otherwise measured, and then sums differ from run to run.
    return make(
        **params, subsample_freq=1, n_jobs=1, random_state=seed, deterministic=True, force_col_wise=True, verbosity=-1
    )


def _engine(fitted: Any, width: int) -> ForestEngine:
    dumped = fitted.booster_.dump_model()
    outputs = dumped["num_tree_per_iteration"]
    trees = [_tree(each["tree_structure"]) for each in dumped["tree_info"]]
    return flatten(
        trees,
        outputs=[at % outputs for at in range(len(trees))],
        base=np.zeros(outputs),  # the first trees hold it
        scale=1.0,
        link=boosted_link(fitted, outputs),
        features=width,
        precision="float64",
    )


def _tree(root: Node) -> Tree:
    """Return a tree whose nodes are numbered as they are met; a child is met after its parent."""
    nodes, left, right = [root], [], []
    for node in nodes:  # grows while it is gone through
        inner = "split_index" in node
        left.append(len(nodes) if inner else -1)
        right.append(len(nodes) + 1 if inner else -1)
        if inner:
            assert node["decision_type"] == "<=", "categories are numbers in columns of their own"
            nodes += [node["left_child"], node["right_child"]]
    return Tree(
        np.array(left),
        np.array(right),
        np.array([node.get("split_feature", 0) for node in nodes]),
        np.array([node.get("threshold", 0.0) for node in nodes], dtype=np.float64),
        np.array([[node.get("leaf_value", 0.0)] for node in nodes], dtype=np.float64),
    )


LIGHTGBM = Kind(
    defaults={
        "n_estimators": 150,
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_child_samples": 20,
        "subsample": 1.0,
        "colsample_bytree": 1.0,
        "reg_lambda": 1e-3,
    },
    space={
        "n_estimators": Range(50, 300, whole=True),
        "learning_rate": Range(0.02, 0.3, log=True),
        "num_leaves": Range(7, 63, log=True, whole=True),
        "min_child_samples": Range(5, 60, log=True, whole=True),
        "subsample": Range(0.6, 1.0),
        "colsample_bytree": Range(0.5, 1.0),
        "reg_lambda": Range(1e-3, 10.0, log=True),
    },
    estimator=_estimator,
    engine=_engine,
    rounds="n_estimators",
    quantile=lambda quantile: {"objective": "quantile", "alpha": quantile},
    monotone=lambda directions: {"monotone_constraints": list(directions)},
)
