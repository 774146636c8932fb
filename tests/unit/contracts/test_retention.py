"""What a pipeline file declares of files and versions that are past their time."""

from datetime import timedelta
from typing import Any

import pytest
from interlock_contracts.filters import parsed_window
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.retention import Keep
from pydantic import ValidationError

DAY = timedelta(days=1)


def declared(retention: Any = None, window: Any = "latest") -> dict[str, Any]:
    columns = {"x": {"type": "number"}, "y": {"type": "number"}}
    spec: dict[str, Any] = {"name": "m", "task": "regression", "target": "y", "data": {"columns": columns}}
    return spec | {"training": {"window": window}} | ({} if retention is None else {"retention": retention})


def test_without_retention_a_pipeline_is_declared_as_before_there_was_any() -> None:
    """Digests of pipelines that are applied already stay."""
    plain = Pipeline.model_validate(declared())
    assert Pipeline.model_validate(declared({})).digest == plain.digest
    assert "retention" not in plain.model_dump_json()

    kept = Pipeline.model_validate(declared({"versions": {"keep_last": 20}, "datasets": {"keep_days": 365}}))
    assert kept.digest != plain.digest
    assert Pipeline.model_validate_json(kept.model_dump_json()) == kept


def test_files_stay_what_they_are_whatever_is_declared_of_their_retention() -> None:
    """The data section, by which files are accepted, does not change with it."""
    kept = Pipeline.model_validate(declared({"datasets": {"keep_last": 3}}))
    assert kept.data == Pipeline.model_validate(declared()).data


@pytest.mark.parametrize(
    ("retention", "window", "field", "told"),
    [
        ({"versions": {}}, "latest", "retention.versions", "say keep_last: how many are kept"),
        ({"versions": {"keep_last": 0}}, "latest", "retention.versions.keep_last", "greater than or equal to 1"),
        ({"datasets": {"keep_days": 0.5}}, "latest", "retention.datasets.keep_days", "greater than or equal to 1"),
        ({"datasets": {"days": 3}}, "latest", "retention.datasets.days", "not permitted"),
        ({"datasets": {"keep_last": 3}}, "all", "", "retention.datasets needs a training.window, for instance 12"),
    ],
)
def test_what_cannot_be_meant_is_refused(retention: Any, window: Any, field: str, told: str) -> None:
    """By the name of the field, with what would be right."""
    with pytest.raises(ValidationError) as refused:
        Pipeline.model_validate(declared(retention, window))
    [error] = refused.value.errors()
    assert ".".join(map(str, error["loc"])) == field
    assert told in error["msg"]


@pytest.mark.parametrize(
    ("keep", "newer", "days", "past"),
    [
        ({"keep_last": 2}, 1, 900, False),
        ({"keep_last": 2}, 2, 0, True),
        ({"keep_days": 30}, 900, 29, False),
        ({"keep_days": 30}, 0, 30, True),
        ({"keep_last": 2, "keep_days": 30}, 1, 31, False),
        ({"keep_last": 2, "keep_days": 30}, 2, 29, False),
        ({"keep_last": 2, "keep_days": 30}, 2, 30, True),
    ],
)
def test_of_number_and_age_either_is_enough_to_be_kept(keep: Any, newer: int, days: int, past: bool) -> None:
    """One alone decides where it is declared alone."""
    assert Keep.model_validate(keep).is_past(newer=newer, age=days * DAY) is past


def test_a_window_is_written_in_a_query_as_in_the_file() -> None:
    """Anything else is refused with what would be right."""
    assert [parsed_window(text) for text in (None, "all", "latest", "12")] == [None, "all", "latest", 12]
    for text in ("0", "-1", "newest", "", "\N{ARABIC-INDIC DIGIT THREE}"):
        with pytest.raises(ValueError, match="neither all, nor latest, nor a number of at least 1"):
            parsed_window(text)
