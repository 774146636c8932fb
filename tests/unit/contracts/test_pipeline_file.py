"""The reader of pipeline files: what YAML reads otherwise than it is written, keys twice, and lines."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.pipeline_file import InvalidPipelineError, NotYamlError, parse_pipeline
from pydantic import ValidationError

from tests.unit.contracts.test_pipeline import declared

HEAD = "name: m\ntask: regression\ntarget: y\ndata:\n  columns:\n"
Y = "    y: {type: number}\n"


def faults(text: str) -> list[str]:
    with pytest.raises(InvalidPipelineError) as caught:
        parse_pipeline(text.encode())
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Yes", "true"),
        ("on", "true"),
        ("TRUE", "true"),
        ("No", "false"),
        ("NO", "false"),
        ("off", "false"),
        ("null", "null"),
        ("~", "null"),
        ("01234", "the number 668"),
        ("-999", "the number -999"),
        ("1", "the number 1"),
        ("1.50", "the number 1.5"),
        ("12:30", "the number 750"),
        ("2013-01-31", "a date"),
    ],
)
def test_what_yaml_reads_as_no_text_is_to_be_quoted(written: str, read: str) -> None:
    """As a value and as a column's name, with the line; quoted it is what it says."""
    value = f"{HEAD}    c: {{type: category, values: [a, {written}]}}\n{Y}"
    name = f"{HEAD}{Y}    {written}: {{type: category}}\n"

    why = f"YAML reads {written} as {read}; write '{written}' in quotes"
    assert faults(value) == [f"data.columns.c.values.1: {why} (line 6)"]
    assert faults(name) == [f"data.columns.{written}: {why} (line 7)"]
    quoted = parse_pipeline(value.replace(f", {written}]", f", '{written}']").encode())
    assert quoted.data.columns["c"].values == ["a", written]
    assert written in parse_pipeline(name.replace(f" {written}:", f" '{written}':").encode()).data.columns


def test_every_fault_is_reported_at_once_in_the_order_of_the_file() -> None:
    """One attempt shows all that is to be mended."""
    text = f"{HEAD}    on: {{type: number}}\n    c: {{type: category, values: [No, SE]}}\n{Y}    z: {{type: float}}\n"

    assert [fault.split(":")[0] for fault in faults(text)] == [
        "data.columns.on",
        "data.columns.c.values.0",
        "data.columns.z.type",
    ]
    assert [fault[-8:] for fault in faults(text)] == ["(line 6)", "(line 7)", "(line 9)"]


def test_a_key_that_stands_twice_is_refused_with_both_lines() -> None:
    """YAML would take the last, and drop the first in silence."""
    text = f"{HEAD}    x: {{type: number, min: 0}}\n{Y}    x: {{type: category}}\n"

    assert faults(text) == ["data.columns.x: the key stands twice, first on line 6; keep one of the two (line 8)"]


def test_an_octal_number_is_refused_where_a_number_is_meant_too() -> None:
    """Nobody who writes 010 means eight."""
    assert "YAML reads 010 as the number 8" in faults(f"{HEAD}    x: {{type: number, min: 010}}\n{Y}")[0]


def test_nothing_after_a_dash_is_reported_as_nothing() -> None:
    """The empty text has to be written."""
    text = f"{HEAD}    d:\n      type: category\n      values:\n        -\n{Y}"

    assert faults(text)[0].endswith("write '' in quotes if you mean the empty text (line 9)")


def test_booleans_and_numbers_are_themselves_where_they_are_declared() -> None:
    """`yes` is a fine boolean."""
    columns = "    x: {type: number, min: 1e-3}\n    z: {type: number}\n"
    read = parse_pipeline(f"{HEAD}{columns}{Y}  key: z\n  rules: {{unique_key: yes}}\n".encode())

    assert read.data.rules.unique_key
    assert read.data.columns["x"].min == 0.001


def test_merge_keys_and_aliases_are_read() -> None:
    """What an anchor gives may be overridden: that is no key twice."""
    text = f"{HEAD}    x: &number {{type: number, min: 0}}\n    z: {{<<: *number, min: 1}}\n    v: *number\n{Y}"
    columns = parse_pipeline(text.encode()).data.columns

    assert (columns["z"].min, columns["v"].min) == (1, 0)


def test_json_is_read_and_its_faults_name_no_line() -> None:
    """A body on one line has but one."""
    columns = {"x": {"type": "category", "values": ["Yes", "01"]}, "y": {"type": "number"}}
    body = json.dumps({"name": "m", "task": "regression", "target": "y", "data": {"columns": columns}})

    assert parse_pipeline(body.encode()).data.columns["x"].values == ["Yes", "01"]
    assert faults(body.replace('"Yes"', "7")) == [
        "data.columns.x.values.0: YAML reads 7 as the number 7; write '7' in quotes"
    ]


@pytest.mark.parametrize(
    "text", ["", "- 1", "name: [", "a: 2013-02-30", "[" * 5000, "a: 1\n---\nb: 2", "a: !!bool x", "a: !!timestamp x"]
)
def test_what_is_no_mapping_in_yaml_is_a_fault_that_names_it(text: str) -> None:
    """Whatever the parser itself would raise."""
    with pytest.raises(NotYamlError):
        parse_pipeline(text.encode())


@settings(max_examples=300)
@given(st.text(alphabet="ab:-[]{}&*!?|>'\"# \n\t01~.<,%@\0é", max_size=40))
def test_no_text_makes_the_reader_fail_otherwise(text: str) -> None:
    """A service answers 400 or 422, and a command prints words."""
    with pytest.raises((NotYamlError, InvalidPipelineError)):
        parse_pipeline(f"name: m\n{text}".encode())


BY_TIME = "    at: {type: datetime}\n    x: {type: number}\n  holdout: {by: time, column: at}\n"


def test_the_time_that_decides_who_is_newest_is_a_feature_by_its_own_word_only() -> None:
    """It grows beyond all that was trained on. The word is stored, so that a stored file reads as it was meant."""
    silent = parse_pipeline(f"{HEAD}{Y}{BY_TIME}".encode())
    spoken = parse_pipeline(f"{HEAD}{Y}{BY_TIME}".replace("datetime", "datetime, role: feature").encode())

    assert (list(silent.features), list(spoken.features)) == (["x"], ["at", "x"])
    assert silent.digest != spoken.digest
    for pipeline in (silent, spoken):
        again = parse_pipeline(pipeline.model_dump_json().encode())
        assert (list(again.features), again.digest) == (list(pipeline.features), pipeline.digest)


def test_what_was_stored_before_keeps_its_features_and_its_digest() -> None:
    """A model that learned from the time column is served, judged and trained again as it was declared."""
    columns = {"y": {"type": "number"}, "at": {"type": "datetime"}, "x": {"type": "number"}}
    data = {"columns": columns, "holdout": {"by": "time", "column": "at"}}
    stored = Pipeline.model_validate_json(json.dumps({"name": "m", "task": "regression", "target": "y", "data": data}))

    assert list(stored.features) == ["at", "x"]
    assert stored.digest == "f2871d455760cf78d6571fd4b08bd0bee4eb2aaa01cd96e2d071d78faedaafff"
    assert Pipeline.model_validate_json(stored.model_dump_json()).digest == stored.digest


@pytest.mark.parametrize("key", ["at", "[at, x]"])
def test_a_key_is_no_feature_anyway_and_needs_no_role(key: str) -> None:
    """Nothing is written into a column that could have no role."""
    text = f"{HEAD}{Y}    z: {{type: number}}\n{BY_TIME}  key: {key}\n"
    assert parse_pipeline(text.encode()).data.columns["at"].role == "feature"


def test_the_time_of_a_row_decides_who_is_newest() -> None:
    """Where nothing else is named, and only one column has that role."""
    spec = declared(data__holdout={"by": "time"})
    columns = spec["data"]["columns"]
    columns["at"] = columns["seen"] = {"type": "datetime", "role": "time"}
    with pytest.raises(ValidationError, match="'at', 'seen' have it"):
        Pipeline.model_validate(spec)
    columns["seen"] = {"type": "datetime"}

    assert Pipeline.model_validate(spec).data.holdout_column == "at"
    spec["data"]["holdout"]["column"] = "seen"
    assert Pipeline.model_validate(spec).data.holdout_column == "seen"
    assert Pipeline.model_validate(declared()).data.holdout_column is None
