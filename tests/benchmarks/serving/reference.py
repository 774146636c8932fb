"""The reference models on the student table, fitted once: for us through our own export, for peers as their users do.

Both sides serve the very same fitted estimator. Peers get the pipeline that a tutorial has (one-hot for the texts,
scaling for the numbers), not ours with its guards against missing cells, which would cost them time.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import yaml
from interlock_contracts.candidates import Candidate
from interlock_contracts.pipeline import Pipeline
from interlock_modeling.signature import ModelSignature
from interlock_trainer.preprocessing import frame_of, preprocessor_for
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline as SklearnPipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits
from xgboost import XGBRegressor

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "students.yaml"
ROWS = 4096
"""Different rows that a benchmark sends in turn, so that caches see what a server's would."""

MODELS: dict[str, Candidate] = {"forest": "random_forest", "xgboost": "xgboost", "linear": "linear"}

_LEVELS = {
    "gender": ["female", "male"],
    "race_ethnicity": [f"group {letter}" for letter in "ABCDE"],
    "parental_level_of_education": [
        "associate's degree",
        "bachelor's degree",
        "high school",
        "master's degree",
        "some college",
        "some high school",
    ],
    "lunch": ["free/reduced", "standard"],
    "test_preparation_course": ["completed", "none"],
}
_TARGET = "math_score"


@dataclass(frozen=True)
class Reference:
    """What is served: ``ours`` are our own pipelines to export, ``rows`` [4096] what to ask, with the answers."""

    source: str
    signature: ModelSignature
    table: pa.Table
    ours: dict[str, SklearnPipeline]
    rows: list[dict[str, Any]]
    expected: dict[str, NDArray[np.float64]]


def build(folder: Path, student_table: Path | None) -> Reference:
    """Fit, and leave in ``folder`` what peers load: ``<model>.joblib`` and ``encoding.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = pd.read_csv(student_table, keep_default_na=False) if student_table else _stand_in()
    signature = _signature(frame)
    features = [feature.name for feature in signature.features]
    frame = frame.astype(dict.fromkeys((*features[-2:], _TARGET), float))
    schema = pa.schema([(name, pa.string() if name in _LEVELS else pa.float64()) for name in (*features, _TARGET)])
    table = pa.Table.from_pandas(frame, schema, preserve_index=False)
    rows = _rows(frame[features])
    asked = pd.DataFrame(rows)
    ours, expected = {}, {}
    with threadpool_limits(1):
        for name, estimator in _estimators().items():
            peers = SklearnPipeline([("preprocess", _tutorial(features)), ("estimator", estimator)])
            peers.fit(frame[features], frame[_TARGET])
            joblib.dump(peers, folder / f"{name}.joblib")
            expected[name] = np.asarray(peers.predict(asked), np.float64)
            ours[name] = _guarded(signature, table, peers["estimator"])
            _same(name, ours[name].predict(frame_of(signature, pa.Table.from_pandas(asked))), expected[name])
    (folder / "encoding.json").write_text(json.dumps(_encoding(peers["preprocess"], features)))
    return Reference(
        str(student_table.name) if student_table else "synthetic rows of the same shape",
        signature,
        table,
        ours,
        rows,
        expected,
    )


def _estimators() -> dict[str, Any]:
    return {
        "forest": RandomForestRegressor(n_estimators=286, max_depth=23, min_samples_leaf=2, random_state=42),
        "xgboost": XGBRegressor(n_estimators=150, learning_rate=0.1, max_depth=6, random_state=42),
        "linear": Ridge(),
    }


def _signature(frame: pd.DataFrame) -> ModelSignature:
    pipeline = Pipeline.model_validate(yaml.safe_load(EXAMPLE.read_text()))
    return ModelSignature.of(pipeline, pa.Table.from_pandas(frame))


def _tutorial(features: list[str]) -> ColumnTransformer:
    texts, numbers = features[:-2], features[-2:]
    return ColumnTransformer(
        [
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
            ("numbers", StandardScaler(), numbers),
        ]
    )


def _guarded(signature: ModelSignature, table: pa.Table, estimator: Any) -> SklearnPipeline:
    """Return our trainer's pipeline around the same estimator; both preprocessings make the same matrix."""
    frame = frame_of(signature, table)
    return SklearnPipeline([("preprocess", preprocessor_for(signature, frame).fit(frame)), ("estimator", estimator)])


def _same(name: str, ours: Any, theirs: NDArray[np.float64]) -> None:
    if not np.allclose(ours, theirs, rtol=1e-6):
        raise AssertionError(f"{name}: both pipelines should be one model")


def _encoding(fitted: ColumnTransformer, features: list[str]) -> dict[str, Any]:
    """Return where each cell goes in the matrix, in JSON, for the peers that serve ONNX."""
    at, categories = 0, []
    for name, levels in zip(features[:-2], fitted.named_transformers_["texts"].categories_, strict=True):
        categories.append({"name": name, "positions": {level: at + place for place, level in enumerate(levels)}})
        at += len(levels)
    scaler = fitted.named_transformers_["numbers"]
    numbers = [
        {"name": name, "at": at + place, "mean": float(scaler.mean_[place]), "scale": float(scaler.scale_[place])}
        for place, name in enumerate(features[-2:])
    ]
    return {"categories": categories, "numbers": numbers, "width": at + len(numbers)}


def _rows(features: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows whose cells are drawn column by column from the table: pupils who might be in it."""
    rng = np.random.default_rng(7)
    drawn = {name: rng.choice(column.to_numpy(), ROWS) for name, column in features.items()}
    return [{str(name): cell for name, cell in row.items()} for row in pd.DataFrame(drawn).to_dict("records")]


def _stand_in() -> pd.DataFrame:
    """Return 1,000 rows in the manner of the student table, for who does not have it."""
    rng = np.random.default_rng(42)
    frame = pd.DataFrame({name: rng.choice(levels, 1000) for name, levels in _LEVELS.items()})
    ability = rng.normal(68, 14, 1000) + 3.0 * (frame["lunch"] == "standard") - 4.0 * (frame["gender"] == "male")
    for name in ("reading_score", "writing_score"):
        frame[name] = np.clip(np.round(ability + rng.normal(0, 4, 1000)), 0, 100)
    frame[_TARGET] = np.clip(np.round(ability + 9.0 * (frame["gender"] == "male") + rng.normal(0, 5, 1000)), 0, 100)
    return frame
