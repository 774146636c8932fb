"""XGBoost with histogram trees."""

import json
from typing import Any

import numpy as np
from interlock_modeling.engines import ForestEngine
from interlock_modeling.engines.links import Link
from numpy.typing import NDArray
from xgboost import XGBClassifier, XGBRegressor

from interlock_trainer.kinds.kind import Kind, Params, Range, Task
from interlock_trainer.kinds.trees import Tree, flatten

LINKS: dict[str, Link] = {
    "reg:squarederror": "identity",
    "reg:quantileerror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "binary:logistic": "logistic",
    "multi:softprob": "softmax",
}
"""By objective, what makes answers of the sums of leaves."""


def _estimator(task: Task, params: Params, seed: int) -> Any:
    make = XGBRegressor if task == "regression" else XGBClassifier
    return make(**params, tree_method="hist", n_jobs=1, random_state=seed)


def _engine(fitted: Any, width: int) -> ForestEngine:
    return forest_of(json.loads(fitted.get_booster().save_raw("json"))["learner"], width)


def forest_of(learner: dict[str, Any], width: int) -> ForestEngine:
    """Return the trees of a ``gbtree`` booster, whose JSON has this ``learner``, over a matrix of the given width."""
    model = learner["gradient_booster"]["model"]
    link = LINKS[learner["objective"]["name"]]
    return flatten(
        [_tree(tree) for tree in model["trees"]],
        outputs=model["tree_info"],
        base=_base(learner["learner_model_param"]["base_score"], link),
        scale=1.0,
        link=link,
        features=width,
        precision="float32",
    )


def _tree(tree: dict[str, Any]) -> Tree:
    """Return a tree; XGBoost sends ``x < t`` left, which for float32 is ``x <=`` the number just below ``t``."""
    condition = np.asarray(tree["split_conditions"], dtype=np.float32)
    left, right = np.asarray(tree["left_children"]), np.asarray(tree["right_children"])
    below = np.nextafter(condition, np.float32(-np.inf))
    return Tree(left, right, np.asarray(tree["split_indices"]), below, condition[:, None])


def _base(stored: str, link: Link) -> NDArray[np.float64]:
    """Return the margin that trees add to; ``stored`` is a number or a list of them, a probability if logistic."""
    base = np.atleast_1d(np.asarray(json.loads(stored), dtype=np.float64))
    return np.log(base / (1.0 - base)) if link == "logistic" else base


XGBOOST = Kind(
    defaults={
        "n_estimators": 150,
        "learning_rate": 0.1,
        "max_depth": 6,
        "min_child_weight": 1.0,
        "subsample": 1.0,
        "colsample_bytree": 1.0,
        "reg_lambda": 1.0,
    },
    space={
        "n_estimators": Range(50, 300, whole=True),
        "learning_rate": Range(0.03, 0.3, log=True),
        "max_depth": Range(3, 8, whole=True),
        "min_child_weight": Range(1.0, 20.0, log=True),
        "subsample": Range(0.6, 1.0),
        "colsample_bytree": Range(0.5, 1.0),
        "reg_lambda": Range(0.1, 10.0, log=True),
    },
    estimator=_estimator,
    engine=_engine,
    rounds="n_estimators",
    quantile=lambda quantile: {"objective": "reg:quantileerror", "quantile_alpha": quantile},
    monotone=lambda directions: {"monotone_constraints": f"({','.join(map(str, directions))})"},
)
