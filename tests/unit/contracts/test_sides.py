"""What decides a row's side of the split, as a pipeline declares it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from interlock_contracts.data import Holdout
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.pipeline_file import parse_pipeline
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


@pytest.mark.parametrize(
    "written", ["2026-05-01", "2026-05-01T00:00", "'2026-05-01T00:00:00Z'", "2026-05-01T02:00:00+02:00"]
)
def test_a_watermark_is_one_moment_however_it_is_written(written: str) -> None:
    """Without a zone it is UTC, as a cell of a file; and it comes back from what is stored."""
    pipeline = parse_pipeline(BY_TIME.replace("at}", f"at, watermark: {written}}}").encode())
    assert pipeline.data.holdout.watermark == datetime(2026, 5, 1, tzinfo=UTC)
    assert pipeline.data.holdout.model_dump(mode="json")["watermark"] == "2026-05-01T00:00:00Z"
    assert Pipeline.model_validate_json(pipeline.model_dump_json()) == pipeline


BY_TIME = """
name: m
task: regression
target: y
data:
  columns: {at: {type: datetime}, y: {type: number}, x: {type: number}}
  holdout: {by: time, column: at}
"""


def test_a_file_has_the_watermark_of_its_first_file_and_a_stored_pipeline_of_before_has_none() -> None:
    """So that nothing moves of what there is already, and its digest does not change."""
    assert parse_pipeline(BY_TIME.encode()).data.holdout.watermark == "first_file"
    before = Holdout(by="time", column="at")
    assert "watermark" not in before.model_dump(mode="json")
    assert Holdout().watermark is None


@pytest.mark.parametrize(
    ("holdout", "told"),
    [
        ({"by": "hash", "watermark": "2026-05-01"}, "`by: hash` takes no `watermark`"),
        ({"by": "time", "watermark": "May"}, "'May' is no moment; write for instance 2026-05-01T00:00:00Z"),
        ({"by": "time", "watermark": 2026}, "2026 is no moment"),
    ],
)
def test_a_watermark_that_is_none_is_refused(holdout: dict[str, Any], told: str) -> None:
    """With what would be right; a number is no moment of 1970."""
    with pytest.raises(ValidationError) as refused:
        Holdout.model_validate(holdout)
    assert told in str(refused.value)
