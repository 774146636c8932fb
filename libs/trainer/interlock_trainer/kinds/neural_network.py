"""Small neural networks: scikit-learn's multi-layer perceptron, served as an ONNX graph in float64."""

import copy
from typing import Any

import numpy as np
from interlock_modeling.engines import OnnxEngine
from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from interlock_trainer.kinds.kind import Kind, Params, Range, Task

MAX_EPOCHS = 100
_PATIENCE = 5
_OPSET = 18


def _estimator(task: Task, params: Params, seed: int) -> Any:
    settings = {
        "hidden_layer_sizes": (params["width"],) * params["layers"],
        "alpha": params["penalty"],
        "learning_rate_init": params["learning_rate"],
        "max_iter": MAX_EPOCHS,
        "n_iter_no_change": _PATIENCE,
        "random_state": seed,
    }
    if task == "classification":
        return MLPClassifier(**settings)
    return TransformedTargetRegressor(MLPRegressor(**settings), transformer=StandardScaler())


def _engine(fitted: Any, width: int) -> OnnxEngine:
    from skl2onnx import to_onnx  # noqa: PLC0415 - as slow to import as the rest of the trainer, and rarely needed
    from skl2onnx.common.data_types import DoubleTensorType  # noqa: PLC0415

    classifier = isinstance(fitted, MLPClassifier)
    network = fitted if classifier else _in_units_of_the_target(fitted)
    graph = to_onnx(
        network,
        initial_types=[("matrix", DoubleTensorType([None, width]))],
        options={"zipmap": False} if classifier else None,
        target_opset=_OPSET,
    )
    serialized = np.frombuffer(graph.SerializeToString(), dtype=np.uint8)
    return OnnxEngine(serialized, output=graph.graph.output[-1].name, features=width)


def _in_units_of_the_target(fitted: TransformedTargetRegressor) -> MLPRegressor:
    """Return the network with the target's scaling undone by its last layer, which is linear."""
    network = copy.deepcopy(fitted.regressor_)
    scale, mean = fitted.transformer_.scale_[0], fitted.transformer_.mean_[0]
    network.coefs_[-1] = network.coefs_[-1] * scale
    network.intercepts_[-1] = network.intercepts_[-1] * scale + mean
    return network


NEURAL_NETWORK = Kind(
    defaults={"width": 32, "layers": 2, "penalty": 1e-3, "learning_rate": 3e-3},
    space={
        "width": Range(8, 128, log=True, whole=True),
        "layers": Range(1, 3, whole=True),
        "penalty": Range(1e-6, 1.0, log=True),
        "learning_rate": Range(3e-4, 3e-2, log=True),
    },
    estimator=_estimator,
    engine=_engine,
)
