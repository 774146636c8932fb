"""AdaBoost over decision trees: the weighted median of a regression's trees, the weighted votes of a classifier's."""

from typing import Any

import numpy as np
from interlock_modeling.engines import Engine, ForestEngine, MedianForestEngine
from numpy.typing import NDArray
from sklearn.ensemble import AdaBoostClassifier, AdaBoostRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from interlock_trainer.kinds.kind import Kind, Params, Range, Task
from interlock_trainer.kinds.trees import Tree, flatten, tree_of

_BINARY = 2


def _estimator(task: Task, params: Params, seed: int) -> Any:
    boosted = {name: value for name, value in params.items() if name in {"n_estimators", "learning_rate"}}
    grown = {name: value for name, value in params.items() if name not in boosted}
    if task == "regression":
        return AdaBoostRegressor(DecisionTreeRegressor(**grown), **boosted, random_state=seed)
    return AdaBoostClassifier(DecisionTreeClassifier(**grown), **boosted, random_state=seed)


def _engine(fitted: Any, width: int) -> Engine:
    trees = [tree_of(member.tree_) for member in fitted.estimators_]
    weights = np.asarray(fitted.estimator_weights_[: len(trees)], dtype=np.float64)
    if isinstance(fitted, AdaBoostRegressor):
        return MedianForestEngine(_each(trees, width), weights)
    shares, classes = weights / weights.sum(), fitted.n_classes_
    votes = [_votes(tree, share, classes) for tree, share in zip(trees, shares, strict=True)]
    binary = classes == _BINARY
    return flatten(
        votes,
        outputs=[0] * len(votes),
        base=np.zeros(1 if binary else classes),
        scale=1.0,
        link="logistic" if binary else "softmax",
        features=width,
        precision="float32",
    )


def _each(trees: list[Tree], width: int) -> ForestEngine:
    """Return a forest with an output for each tree."""
    return flatten(
        trees,
        outputs=range(len(trees)),
        base=np.zeros(len(trees)),
        scale=1.0,
        link="identity",
        features=width,
        precision="float32",
    )


def _votes(tree: Tree, share: float, classes: int) -> Tree:
    """Return the tree with what each leaf adds to the logits, after Zhu, Zou, Rosset, Hastie (2009), equation 15.

    A leaf votes for its most frequent class: that one gets the tree's ``share``, each other one minus an equal part of
    it, all divided by ``classes - 1``. Of two classes it is twice the second one's.
    """
    chosen = tree.value.argmax(axis=1)
    if classes == _BINARY:
        value: NDArray[np.float64] = np.where(chosen == 1, 2 * share, -2 * share)[:, None]
    else:
        value = np.where(np.arange(classes) == chosen[:, None], share, -share / (classes - 1)) / (classes - 1)
    return Tree(tree.left, tree.right, tree.feature, tree.threshold, value)


ADABOOST = Kind(
    defaults={"n_estimators": 50, "learning_rate": 0.5, "max_depth": 3, "min_samples_leaf": 2},
    space={
        "n_estimators": Range(20, 150, whole=True),
        "learning_rate": Range(0.05, 2.0, log=True),
        "max_depth": Range(1, 8, whole=True),
        "min_samples_leaf": Range(1, 20, log=True, whole=True),
    },
    estimator=_estimator,
    engine=_engine,
    rounds="n_estimators",
)
