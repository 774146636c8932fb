"""The transform of a regression's target: fits see it transformed, everything else in its own unit."""

from typing import Any

import numpy as np
from interlock_contracts.pipeline import Transform
from interlock_modeling.engines.inverse import INVERSES
from sklearn.compose import TransformedTargetRegressor

_FUNCTIONS = {"log1p": np.log1p, "log": np.log}


def on_target(estimator: Any, transform: Transform | None) -> Any:
    """Return an estimator that fits the transformed target, and answers in the target's own unit."""
    if transform is None:
        return estimator
    return TransformedTargetRegressor(
        estimator, func=_FUNCTIONS[transform], inverse_func=INVERSES[transform], check_inverse=False
    )


def without_transform(fitted: Any, transform: Transform | None) -> Any:
    """Return the fitted estimator within, whose answers are transformed targets."""
    return fitted if transform is None else fitted.regressor_
