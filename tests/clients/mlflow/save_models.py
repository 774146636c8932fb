"""Saves the models of `tests/support/mlflow_models` with MLflow itself: ``python save_models.py FOLDER``.

Run by hand, with mlflow-skinny, onnx, skl2onnx, scikit-learn and xgboost-cpu installed: what it wrote is kept in the
repository, without the files that describe an environment, since nothing reads those.
"""

import json
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import xgboost
from mlflow.models import infer_signature
from onnx import numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDER = Path(sys.argv[1])
RANDOM = np.random.default_rng(5)
FRAME = pd.DataFrame(
    {
        "count": RANDOM.integers(-5, 50, 300).astype(np.int64),
        "score": RANDOM.normal(10.0, 4.0, 300),
    }
)
NUMBER = FRAME["score"] * 2 + FRAME["count"] ** 2 / 40 + RANDOM.normal(0, 0.3, 300)
LABEL = NUMBER.gt(NUMBER.median()).astype(int)
CLASS = np.digitize(NUMBER, NUMBER.quantile([0.33, 0.66]))
SMALL = {"n_estimators": 20, "max_depth": 3, "n_jobs": 1, "random_state": 1}


def tidy(folder: Path) -> None:
    """Leave MLmodel, the model, and the files of its tensors."""
    for path in folder.iterdir():
        if path.name in ("conda.yaml", "python_env.yaml", "requirements.txt"):
            path.unlink()


def save_xgboost(name: str, model: Any, target: Any, model_format: str) -> Any:
    """Fit and save a model; return what it answers."""
    model.fit(FRAME, target)
    answers = model.predict(FRAME) if name.endswith("regression") else model.predict_proba(FRAME)
    signature = infer_signature(FRAME, answers)
    mlflow.xgboost.save_model(model, FOLDER / name, signature=signature, model_format=model_format)
    tidy(FOLDER / name)
    return answers


def save_onnx(name: str, model: Any, inputs: list[tuple[str, Any]], target: Any) -> Any:
    """Fit a model, translate it and save the graph; return what the model itself answers."""
    model.fit(FRAME, target)
    graph = to_onnx(model, initial_types=inputs, target_opset=18)
    answers = model.predict(FRAME) if name.endswith("regression") else model.predict_proba(FRAME)
    external = name.startswith("onnx_network")
    for tensor in graph.graph.initializer if external else ():
        tensor.CopyFrom(
            numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name)
        )  # raw bytes may be external
    signature = infer_signature(FRAME, answers) if name != "onnx_multiclass" else None
    mlflow.onnx.save_model(graph, FOLDER / name, signature=signature, save_as_external_data=external)
    tidy(FOLDER / name)
    return answers


def network() -> Any:
    return make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(24, 24), max_iter=300, random_state=1))


def scaled_columns() -> Any:
    return ColumnTransformer([("count", StandardScaler(), ["count"]), ("score", StandardScaler(), ["score"])])


ANSWERS = {
    "xgboost_regression": save_xgboost("xgboost_regression", xgboost.XGBRegressor(**SMALL), NUMBER, "ubj"),
    "xgboost_binary": save_xgboost("xgboost_binary", xgboost.XGBClassifier(**SMALL), LABEL, "json"),
    "onnx_network_regression": save_onnx(
        "onnx_network_regression", network(), [("matrix", FloatTensorType([None, 2]))], NUMBER
    ),
    "onnx_columns_regression": save_onnx(
        "onnx_columns_regression",
        make_pipeline(scaled_columns(), LinearRegression()),
        [("count", Int64TensorType([None, 1])), ("score", DoubleTensorType([None, 1]))],
        NUMBER,
    ),
    "onnx_multiclass": save_onnx(
        "onnx_multiclass",
        make_pipeline(StandardScaler(), LogisticRegression()),
        [("matrix", FloatTensorType([None, 2]))],
        CLASS,
    ),
}
ROWS = FRAME.head(20)
WRITTEN = {"rows": ROWS.to_dict("records"), "answers": {name: a[:20].tolist() for name, a in ANSWERS.items()}}
(FOLDER / "answers.json").write_text(json.dumps(WRITTEN, indent=1) + "\n")
