"""What decides a row's side of the split, as a pipeline declares it."""

from typing import Any

import pytest
from interlock_contracts.pipeline import Pipeline
from pydantic import ValidationError

from tests.unit.contracts.test_pipeline import declared


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data__group": "nope"}, "data.group names 'nope'"),
        ({"data__group": "math_score"}, "both the target and part of the group"),
        ({"data__group": ["gender", "gender"]}, "group: each column may be named once"),
        ({"data__columns__gender": {"type": "category", "optional": True}, "data__group": "gender"}, "be optional"),
        (
            {
                "data__columns__at": {"type": "datetime", "role": "time"},
                "data__holdout": {"by": "time"},
                "data__group": "gender",
            },
            "group decides a row's side of the split, and so does holdout `by: time`: drop one",
        ),
        (
            {"data__columns__at": {"type": "datetime", "role": "time"}, "data__group": "at"},
            "group: 'at' is the time of the row",
        ),
        ({"data__identity": "gender"}, "identity decides a row's side of the split, and so does key: drop identity"),
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, Any], told: str) -> None:
    """By name, and with what would be right."""
    with pytest.raises(ValidationError) as refused:
        Pipeline.model_validate(declared(**changes))
    assert told in str(refused.value)


def test_group_decides_the_side_of_the_split_then_key_then_identity() -> None:
    """A group's columns stay features, unless they are to be ignored; files of before the words mean what they did."""
    grouped = Pipeline.model_validate(declared(data__group="gender"))
    assert grouped.data.side_columns == ["gender"]
    assert "gender" in grouped.features
    assert Pipeline.model_validate(declared()).data.side_columns == ["id"]
    keyless = declared(data__identity="gender", data__key=None)
    assert Pipeline.model_validate(keyless).data.side_columns == ["gender"]
    assert "identity" not in Pipeline.model_validate(declared()).data.model_dump(mode="json")
