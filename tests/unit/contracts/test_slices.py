"""What a pipeline file can declare of slices."""

import re
from typing import Any

import pytest
from interlock_contracts.pipeline import Pipeline
from pydantic import ValidationError

from tests.unit.contracts.test_pipeline import declared


def test_a_slice_by_its_name_alone_is_declared_as_before_there_were_others() -> None:
    """Digests of pipelines that are applied already stay; both forms stand beside each other."""
    named = Pipeline.model_validate(declared(gate__slices=["gender"]))
    assert '"slices":["gender"]' in named.model_dump_json()

    spec = declared(gate__slices=["gender", {"column": "math_score", "bins": [50, 70], "bias": {"max": 3}}])
    pipeline = Pipeline.model_validate(spec)
    assert Pipeline.model_validate_json(pipeline.model_dump_json()) == pipeline
    assert [each.name for each in pipeline.gate.sliced] == ["gender", "math_score"]


@pytest.mark.parametrize(
    ("slices", "told"),
    [
        ([{"column": "nope"}], "gate.slices names 'nope'"),
        ([{"column": ["gender", "gender"]}], "column names 'gender' twice"),
        ([{"column": "gender", "bins": 3}], "bins belong to number and integer columns; 'gender' is a category"),
        ([{"column": "math_score", "bins": [3, 1]}], "edges must ascend"),
        ([{"column": ["gender", "math_score"], "bins": [3.0]}], "edges belong to one column"),
        (["gender", {"column": "gender", "min_rows": 9}], "gate.slices has slices by 'gender' twice"),
        ([{"column": "gender", "bias": {"max": 0}}], "greater than 0"),
        ([{"column": "gender", "no_worse_then": 0.1}], "no_worse_then"),
    ],
)
def test_a_slice_that_cannot_be_made_is_refused(slices: list[Any], told: str) -> None:
    """The message names the field and what is wrong with it."""
    with pytest.raises(ValidationError, match=re.escape(told)):
        Pipeline.model_validate(declared(gate__slices=slices))
