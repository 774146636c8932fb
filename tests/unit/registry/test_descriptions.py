"""What people say of a model: merge patches, and what the audit log tells of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_contracts.descriptions import ModelPatch
from interlock_contracts.filters import tag_filter
from interlock_contracts.tags import MAX_TAGS
from interlock_registry.descriptions import _change
from interlock_registry.store import ModelRow
from interlock_runtime.access import Caller
from litestar.exceptions import HTTPException
from pydantic import ValidationError

NAMES = st.sampled_from(["team", "stage", "audited", "a.b/c-d"])
TAGS = st.dictionaries(NAMES, st.text(max_size=5))
PATCHED = st.dictionaries(NAMES, st.none() | st.from_regex(r"\A[^,\x00-\x1f\x7f]{0,5}\Z"))


class Log:
    """Keeps what is added to the audit log."""

    def __init__(self) -> None:
        self.details: list[dict[str, Any]] = []

    def add(self, row: Any) -> None:
        self.details.append(row.details)


def changed(row: ModelRow, **patch: Any) -> list[dict[str, Any]]:
    log: Any = Log()
    caller = Caller("ada", frozenset({"promote"}))
    _change(log, row, ModelPatch.model_validate(patch), by=caller, action="model.described", subject="model/m")
    details: list[dict[str, Any]] = log.details
    return details


@given(TAGS, PATCHED)
def test_tags_are_merged_one_by_one(before: dict[str, str], patch: dict[str, str | None]) -> None:
    """As RFC 7396 says; the same patch again changes nothing, and is not logged."""
    row = ModelRow(name="m", description=None, owner=None, tags=before)
    changed(row, tags=patch)

    assert row.tags == {
        **{name: value for name, value in before.items() if name not in patch},
        **{name: value for name, value in patch.items() if value is not None},
    }
    assert changed(row, tags=patch) == []


def test_what_is_left_out_stays_and_null_removes() -> None:
    """Each with an entry that tells the new value, an empty one for what is gone."""
    row = ModelRow(name="m", description="old", owner="ada", tags={"team": "x"})

    assert changed(row, description="new") == [{"description": "new"}]
    assert changed(row, owner=None) == [{"owner": ""}]
    assert changed(row, tags=None) == [{"tags": {"team": None}}]
    assert (row.description, row.owner, row.tags) == ("new", None, {})
    assert changed(row) == []


def test_tags_have_a_limit() -> None:
    """A place for notes is no store."""
    row = ModelRow(name="m", description=None, owner=None, tags={str(number): "" for number in range(MAX_TAGS)})

    with pytest.raises(HTTPException, match="remove some by null"):
        changed(row, tags={"more": ""})
    changed(row, tags={"more": "", "7": None})
    assert len(row.tags) == MAX_TAGS


@pytest.mark.parametrize(
    "patch", [{"tags": {"a b": ""}}, {"tags": {"a": "x,y"}}, {"tags": {"a": "x\ny"}}, {"name": "n"}]
)
def test_a_tag_that_no_list_could_be_filtered_by_is_refused(patch: dict[str, Any]) -> None:
    """And so is a field that there is not."""
    with pytest.raises(ValidationError):
        ModelPatch.model_validate(patch)


def test_a_filter_names_tags_with_or_without_a_value() -> None:
    """A value may hold a colon."""
    assert tag_filter("team:a:b,audited,stage:,,") == {"team": "a:b", "audited": None, "stage": ""}
    assert tag_filter(None) == {}
