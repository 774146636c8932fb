"""The first half of each candidate's scikit-learn pipeline, and its translation into the encoder that serves."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from interlock_modeling import cells
from interlock_modeling.encoder import CategoryColumn, Encoder, EncoderColumn, NumericColumn, Scaled
from interlock_modeling.signature import Feature, ModelSignature
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

MAX_LEVELS = 128
"""Categories that get a column of their own: the most frequent ones; the rest are all zeros, as unseen ones are."""


def frame_of(signature: ModelSignature, table: pa.Table) -> pd.DataFrame:
    """Return the features as scikit-learn takes them.

    Numbers, integers and booleans are float64 with NaN, categories texts with None, datetimes datetime64[us] in UTC.
    """
    return pd.DataFrame({feature.name: _series(feature, table) for feature in signature.features})


def _series(feature: Feature, table: pa.Table) -> Any:
    column = table.column(feature.name).combine_chunks()
    if feature.type == "category":
        return pd.Series(np.array(column.to_pylist(), dtype=object), dtype=object)
    return cells.datetimes_of_column(column) if feature.type == "datetime" else cells.numbers_of_column(column)


def preprocessor_for(signature: ModelSignature, frame: pd.DataFrame) -> ColumnTransformer:
    """Return the unfitted preprocessing of ``frame``, one transformer per feature, in the signature's order."""
    parts = [(f"feature{at}", _transformer(f, frame[f.name]), [f.name]) for at, f in enumerate(signature.features)]
    return ColumnTransformer(parts, sparse_threshold=0)


def _transformer(feature: Feature, column: "pd.Series[Any]") -> Any:
    if feature.type == "category":
        return _one_hot(column)
    if feature.type == "boolean":
        return SimpleImputer(strategy="most_frequent", keep_empty_features=True)
    scaled = [("impute", SimpleImputer(strategy="median", keep_empty_features=True)), ("scale", StandardScaler())]
    if feature.type == "datetime":
        return Pipeline([("numbers", FunctionTransformer(datetime_numbers)), *scaled])
    return Pipeline(scaled)


def datetime_numbers(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return the four numbers of a single datetime column, as the encoder makes them."""
    return cells.datetime_numbers(frame.to_numpy(dtype="datetime64[us]")[:, 0])


def _one_hot(column: "pd.Series[Any]") -> Pipeline:
    """Return a one-hot encoding in which missing is a level if it occurs, else counts as the most frequent one."""
    counts = Counter(column.tolist())
    missing = counts.pop(None, 0) > 0
    common = [value for value, _ in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:MAX_LEVELS]]
    levels = [*sorted(common), *([None] if missing else [])]
    encode = OneHotEncoder(
        categories=[np.array(levels, dtype=object)], handle_unknown="ignore", sparse_output=False, dtype=np.float64
    )
    impute = "passthrough"
    if not missing:
        impute = SimpleImputer(missing_values=None, strategy="constant", fill_value=common[0])
    return Pipeline([("impute", impute), ("encode", encode)])


def encoder_of(signature: ModelSignature, fitted: ColumnTransformer) -> Encoder:
    """Return the encoder that does what a fitted preprocessor does."""
    parts = zip(signature.features, fitted.transformers_, strict=True)
    return Encoder(columns=[_encoder_column(feature, part[1]) for feature, part in parts])


def directions(encoder: Encoder, monotone: Mapping[str, int]) -> list[int]:
    """Return for each column of the matrix its direction; scaling turns none round."""
    return [monotone.get(column.name, 0) for column in encoder.columns for _ in column.names]


def _encoder_column(feature: Feature, fitted: Any) -> EncoderColumn:
    if feature.type == "category":
        impute, encode = fitted["impute"], fitted["encode"]
        fill = None if impute == "passthrough" else impute.fill_value
        return CategoryColumn(name=feature.name, values=encode.categories_[0].tolist(), fill=fill)
    if feature.type == "boolean":
        return NumericColumn(kind="boolean", name=feature.name, numbers=[Scaled(fill=float(fitted.statistics_[0]))])
    numbers = zip(fitted["impute"].statistics_, fitted["scale"].mean_, fitted["scale"].scale_, strict=True)
    return NumericColumn(
        kind="datetime" if feature.type == "datetime" else "number",
        name=feature.name,
        numbers=[Scaled(fill=float(fill), center=float(center), scale=float(scale)) for fill, center, scale in numbers],
    )
