"""The champion reads rows that were stored under a newer spec as its own version would have read the file."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from interlock_evaluation_gate.champion import NotComparableError, as_champion_reads
from interlock_modeling import Model
from interlock_modeling.encoder import CategoryColumn, Encoder, NumericColumn, Scaled
from interlock_modeling.engines import LinearEngine
from interlock_modeling.signature import Feature, ModelSignature

MOMENT = pa.array([0], pa.timestamp("us", "UTC"))


def signature(kind: Any, **changes: Any) -> ModelSignature:
    feature = Feature(name="c", type=kind, nullable=True)
    made = ModelSignature(task="regression", target="y", target_type="number", features=[feature])
    return made.model_copy(update=changes)


def champion(kind: Any, values: list[str | None] | None = None, **changes: Any) -> Model:
    """Return a model of one column ``c``; a category knows ``values``."""
    column: CategoryColumn | NumericColumn
    if kind == "category":
        known = values or ["94103", "10001"]
        column = CategoryColumn(name="c", values=known, fill=known[0])
    else:
        column = NumericColumn(kind="number", name="c", numbers=[Scaled(fill=0.0)])
    encoder = Encoder(columns=[column])
    engine = LinearEngine(np.zeros((1, len(encoder.names))), np.zeros(1), "identity")
    return Model(signature(kind, **changes), encoder, engine)


def read(model: Model, column: Any, **changes: Any) -> list[Any]:
    table = pa.table({"c": column, "y": pa.array([1.0] * len(column))})
    read: list[Any] = as_champion_reads(table, model, signature("number", **changes))["c"].to_pylist()
    return read


@pytest.mark.parametrize(
    ("kind", "stored", "seen"),
    [
        ("number", pa.array([1.5, None]), [1.5, None]),
        ("category", pa.array([94103, None], pa.int64()), ["94103", None]),
        ("category", pa.array([-7], pa.int64()), ["-7"]),
        ("integer", pa.array(["94103", "-7", None]), [94103, -7, None]),
        ("integer", pa.array(["517.0"]), [517]),
        ("boolean", pa.array(["true", "No", None]), [True, False, None]),
        ("number", pa.array(["0.5", "1e3", None]), [0.5, 1000.0, None]),
        ("number", pa.array([None], pa.string()), [None]),
        ("number", pa.array([3], pa.int64()), [3.0]),
        ("integer", pa.array([3.0, None]), [3, None]),
    ],
    ids=str,
)
def test_cells_are_read_as_the_champions_version_would(kind: str, stored: Any, seen: list[Any]) -> None:
    """Whatever type the spec gives the column today."""
    assert read(champion(kind), stored) == seen


@pytest.mark.parametrize(
    ("kind", "stored", "why"),
    [
        ("integer", pa.array([0.5]), "'c' is now of type number, with cells that are no integer"),
        ("integer", pa.array(["x"]), "of type integer is now of type category, and 'c' is not an integer"),
        ("number", pa.array(["nan"]), "'c' is not a finite number"),
        ("number", pa.array(["1", "x"]), "'c' is not a number"),
        ("boolean", pa.array(["maybe"]), "'c' is not a boolean"),
        ("category", pa.array([0.5]), "'c' of type category is now of type number"),
        ("category", pa.array([True]), "is now of type boolean"),
        ("category", MOMENT, "is now of type datetime"),
        ("number", MOMENT, "is now of type datetime"),
    ],
    ids=str,
)
def test_what_cannot_be_read_so_is_said(kind: str, stored: Any, why: str) -> None:
    """Instead of a champion that is measured on something else."""
    with pytest.raises(NotComparableError, match=why):
        read(champion(kind), stored)


def test_leading_zeros_are_lost_in_a_whole_number() -> None:
    """The champion knows "02134", of which the stored 2134 says nothing."""
    with pytest.raises(NotComparableError, match="does not keep texts such as '02134'"):
        read(champion("category", ["94103", "02134", None]), pa.array([94103, 2134], pa.int64()))


def test_a_column_that_is_gone_is_named() -> None:
    """No candidate can do anything about it."""
    table = pa.table({"other": pa.array([1.0]), "y": pa.array([1.0])})
    with pytest.raises(NotComparableError, match="its column 'c' is gone"):
        as_champion_reads(table, champion("number"), signature("number"))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"target": "price"}, "predicts 'price'"),
        ({"task": "classification", "labels": ["a", "b"]}, "classification"),
    ],
)
def test_models_that_predict_something_else_are_not_compared(changes: dict[str, Any], why: str) -> None:
    """Their metrics are about different quantities."""
    with pytest.raises(NotComparableError, match=why):
        read(champion("number", **changes), pa.array([1.0]))


def test_models_that_know_other_labels_are_not_compared() -> None:
    """A metric over three labels is another quantity than one over two."""
    task: dict[str, Any] = {"task": "classification"}
    known = champion("number", labels=["a", "b"], **task)
    with pytest.raises(NotComparableError, match="knows the labels 'a', 'b', the candidate 'a', 'b', 'c'"):
        read(known, pa.array([1.0]), labels=["a", "b", "c"], **task)
