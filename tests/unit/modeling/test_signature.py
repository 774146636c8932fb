import pyarrow as pa
import pytest
from interlock_contracts.pipeline import Pipeline
from interlock_modeling.signature import ModelSignature

from tests.unit.modeling.tables import pipeline, signature


def classification(target_type: str) -> Pipeline:
    columns = {"x": {"type": "number"}, "y": {"type": target_type}}
    return Pipeline.model_validate({"name": "c", "task": "classification", "target": "y", "data": {"columns": columns}})


def test_features_are_declared_columns_without_key_and_target() -> None:
    """Features keep the declared order, and neither key nor target is one."""
    names = [feature.name for feature in signature().features]

    assert names == ["size", "count", "open", "color", "at"]


def test_a_column_that_may_never_be_null_is_not_nullable() -> None:
    """A null fraction of zero, the column's own or the table's, makes a feature required."""
    strict = pipeline().model_dump(mode="json")["data"] | {"rules": {"max_null_fraction": 0.0}}
    strict["columns"]["size"]["max_null_fraction"] = 0.5

    nullable = {f.name for f in signature(data=strict).features if f.nullable}

    assert [f.name for f in signature().features if not f.nullable] == ["count"]
    assert nullable == {"size"}


@pytest.mark.parametrize(
    ("target_type", "cells", "labels"),
    [
        ("integer", [1, 0, 1], [0, 1]),
        ("boolean", [True, False, True], [False, True]),
        ("category", [">50K", "<=50K", ">50K"], ["<=50K", ">50K"]),
    ],
)
def test_labels_are_as_in_the_data(target_type: str, cells: list[object], labels: list[object]) -> None:
    """Labels keep their type through JSON, and targets are their places in sorted order."""
    table = pa.table({"x": [1.0, 2.0, 3.0], "y": cells})

    made = ModelSignature.of(classification(target_type), table)
    read = ModelSignature.model_validate_json(made.model_dump_json())

    assert read.labels is not None
    assert [(type(label), label) for label in read.labels] == [(type(label), label) for label in labels]
    assert read.targets(table).tolist() == [1, 0, 1]


def test_a_label_that_training_did_not_see_is_minus_one() -> None:
    """A holdout may hold a label that the model can't know."""
    made = ModelSignature.of(classification("category"), pa.table({"y": ["a", "b"]}))

    assert made.targets(pa.table({"y": ["b", "new", "a"]})).tolist() == [1, -1, 0]


def test_a_single_label_is_refused() -> None:
    """There is nothing to tell apart in a table of one class."""
    with pytest.raises(ValueError, match="fewer than two"):
        ModelSignature.of(classification("integer"), pa.table({"y": [1, 1]}))


def test_a_null_target_is_refused() -> None:
    """Ingest drops rows without target, so one that comes through is a fault."""
    with pytest.raises(ValueError, match="null in 1 of 2"):
        signature().targets(pa.table({"y": [1.0, None]}))


def test_the_transform_of_the_target_is_told_where_there_is_one() -> None:
    """Versions without one are described as before, so older gateways still take them."""
    transformed = signature(target={"column": "y", "transform": "log1p"})

    assert transformed.transform == "log1p"
    assert "transform" not in signature().model_dump_json()
    assert "ignored" not in signature().model_dump_json()
