"""A pipeline with every column type, tables for it, and a small model over it."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from interlock_contracts.pipeline import Pipeline
from interlock_modeling.encoder import CategoryColumn, Encoder, NumericColumn, Scaled
from interlock_modeling.signature import ModelSignature

ARROW = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "category": pa.string(),
    "datetime": pa.timestamp("us", "UTC"),
}


def pipeline(**changes: Any) -> Pipeline:
    """Return a regression over every column type; ``key`` is the key and no feature."""
    declared: dict[str, Any] = {
        "name": "every-type",
        "task": "regression",
        "target": "y",
        "data": {
            "key": "id",
            "columns": {
                "id": {"type": "category"},
                "size": {"type": "number", "min": 0, "max": 100},
                "count": {"type": "integer", "max_null_fraction": 0},
                "open": {"type": "boolean"},
                "color": {"type": "category", "values": ["red", "green", "blue"]},
                "at": {"type": "datetime"},
                "y": {"type": "number"},
            },
        },
    }
    return Pipeline.model_validate({**declared, **changes})


ENCODER = Encoder(
    columns=[
        NumericColumn(kind="number", name="size", numbers=[Scaled(fill=3.5, center=2.25, scale=0.3)]),
        NumericColumn(kind="number", name="count", numbers=[Scaled(fill=1.0, center=1e6, scale=7.0)]),
        NumericColumn(kind="boolean", name="open", numbers=[Scaled(fill=1.0)]),
        CategoryColumn(name="color", values=["green", "red"], fill="red"),
        NumericColumn(
            kind="datetime",
            name="at",
            numbers=[Scaled(fill=15_000.0, center=15_000.0, scale=20.0), *[Scaled(fill=1.0)] * 3],
        ),
    ]
)

ROW = {"size": 4.0, "count": 2, "open": True, "color": "red", "at": "2013-01-31T18:30:00Z"}


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """Return rows of features as ingest would store them; datetimes are ISO texts as in JSON."""
    features = pipeline().features
    columns = {name: [row.get(name) for row in rows] for name in features}
    columns["at"] = [None if text is None else utc(text) for text in columns["at"]]
    return pa.table({name: pa.array(cells, ARROW[features[name].type]) for name, cells in columns.items()})


def utc(text: str) -> datetime:
    """Return an ISO text as a UTC datetime; without an offset it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def signature(**changes: Any) -> ModelSignature:
    """Return the signature of ``pipeline`` after a training in which every column but ``count`` was null somewhere."""
    columns = {name: pa.array([None, None], ARROW[column.type]) for name, column in pipeline().features.items()}
    seen = {**columns, "count": pa.array([1, 2]), "y": pa.array([1.0, 2.0])}
    return ModelSignature.of(pipeline(**changes), pa.table(seen))
