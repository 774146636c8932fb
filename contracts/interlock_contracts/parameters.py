"""The parameters that a pipeline may fix for each kind of candidate, and which values they take.

They are the trainer's, whose search goes through a part of each span; ``tests/unit/trainer/kinds`` holds both together.
"""

from dataclasses import dataclass

from interlock_contracts.names import near_name


@dataclass(frozen=True)
class Span:
    """The values of a parameter: numbers, or whole numbers, from ``low`` to ``high``, both inclusive."""

    low: float
    high: float
    whole: bool = False

    def __str__(self) -> str:
        return f"a {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:g}"

    def read(self, value: float) -> float | None:
        """Return the value as its type; None if it is no such value."""
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            return None
        return int(value) if self.whole else float(value)


_SHARE = Span(0.01, 1)
_TREES = Span(1, 1000, whole=True)
_DEPTH = Span(1, 32, whole=True)
_LEAVES = Span(2, 1_000_000, whole=True)
_PENALTY = Span(0, 1e6)
_RATE = Span(1e-4, 1)
_ROWS = Span(1, 1_000_000, whole=True)

_GROWTH = {
    "min_samples_split": Span(2, 1_000_000, whole=True),
    "max_leaf_nodes": _LEAVES,
    "min_impurity_decrease": _PENALTY,
    "ccp_alpha": _PENALTY,
}
_FOREST = {"n_estimators": _TREES, "max_depth": _DEPTH, "min_samples_leaf": _ROWS, "max_features": _SHARE, **_GROWTH}

PARAMETERS: dict[str, dict[str, Span]] = {
    "linear": {"penalty": Span(1e-9, 1e9)},
    "lasso": {"penalty": Span(1e-9, 1e9)},
    "elastic_net": {"penalty": Span(1e-9, 1e9), "l1_ratio": Span(0, 1)},
    "decision_tree": {"max_depth": _DEPTH, "min_samples_leaf": _ROWS, "max_features": _SHARE, **_GROWTH},
    "random_forest": {**_FOREST, "max_samples": _SHARE},
    "extra_trees": _FOREST,
    "adaboost": {
        "n_estimators": _TREES,
        "learning_rate": Span(1e-4, 10),
        "max_depth": _DEPTH,
        "min_samples_leaf": _ROWS,
        "max_features": _SHARE,
        **_GROWTH,
    },
    "gradient_boosting": {
        "max_iter": Span(1, 2000, whole=True),
        "learning_rate": _RATE,
        "max_leaf_nodes": Span(2, 1000, whole=True),
        "min_samples_leaf": _ROWS,
        "l2_regularization": _PENALTY,
        "max_depth": Span(1, 32, whole=True),
        "max_bins": Span(2, 255, whole=True),
        "max_features": _SHARE,
    },
    "classic_gradient_boosting": {
        "n_estimators": Span(1, 2000, whole=True),
        "learning_rate": _RATE,
        "max_depth": _DEPTH,
        "min_samples_leaf": _ROWS,
        "subsample": _SHARE,
        "max_features": _SHARE,
        **_GROWTH,
    },
    "lightgbm": {
        "n_estimators": Span(1, 2000, whole=True),
        "learning_rate": _RATE,
        "num_leaves": Span(2, 1000, whole=True),
        "min_child_samples": _ROWS,
        "subsample": Span(0.05, 1),
        "colsample_bytree": _SHARE,
        "reg_lambda": _PENALTY,
        "reg_alpha": _PENALTY,
        "max_depth": _DEPTH,
        "min_child_weight": _PENALTY,
        "min_split_gain": _PENALTY,
        "max_bin": Span(2, 1024, whole=True),
    },
    "xgboost": {
        "n_estimators": Span(1, 2000, whole=True),
        "learning_rate": _RATE,
        "max_depth": Span(1, 32, whole=True),
        "min_child_weight": _PENALTY,
        "subsample": _SHARE,
        "colsample_bytree": _SHARE,
        "reg_lambda": _PENALTY,
        "reg_alpha": _PENALTY,
        "gamma": _PENALTY,
        "colsample_bylevel": _SHARE,
        "max_bin": Span(2, 1024, whole=True),
    },
    "neural_network": {
        "width": Span(1, 1024, whole=True),
        "layers": Span(1, 8, whole=True),
        "penalty": _PENALTY,
        "learning_rate": Span(1e-6, 1),
    },
}
"""By kind and name; the first ones of each are searched unless they are fixed."""


def read_parameters(kind: str, given: dict[str, float]) -> dict[str, float]:
    """Return fixed parameters of a kind with the types that they have there.

    Raises:
        ValueError: a name is unknown, or a value out of its span; says what would be right.
    """
    spans, values = PARAMETERS[kind], {}
    for name, value in given.items():
        if name not in spans:
            near = near_name(name, spans)
            hint = f"did you mean {near!r}?" if near is not None else f"it has {', '.join(spans)}"
            raise ValueError(f"{kind} has no parameter {name!r}; {hint}")
        read = spans[name].read(value)
        if read is None:
            raise ValueError(f"{kind}: {name} cannot be {value!r}; it is {spans[name]}")
        values[name] = read
    return values
