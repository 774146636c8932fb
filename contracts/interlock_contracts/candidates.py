"""The kinds of models that a pipeline may name as candidates, and what each of them can do."""

from typing import Literal

Candidate = Literal[
    "linear",
    "lasso",
    "elastic_net",
    "decision_tree",
    "random_forest",
    "extra_trees",
    "adaboost",
    "gradient_boosting",
    "classic_gradient_boosting",
    "xgboost",
    "lightgbm",
    "neural_network",
]

MONOTONE: tuple[Candidate, ...] = (
    "decision_tree",
    "random_forest",
    "extra_trees",
    "gradient_boosting",
    "xgboost",
    "lightgbm",
)
"""The candidates that can be held to a monotone column."""

QUANTILE: tuple[Candidate, ...] = ("gradient_boosting", "classic_gradient_boosting", "xgboost", "lightgbm")
"""The candidates that can be fitted to a quantile of the target."""
