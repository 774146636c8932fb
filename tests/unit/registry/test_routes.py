"""What the registry answers to a body that is no pipeline."""

import pytest
from interlock_registry.routes import _parsed
from litestar.exceptions import HTTPException

BODY = """\
name: m
task: regression
target: y
data:
  columns:
    c: {type: category, values: [Yes]}
    y: {type: number}
    y: {type: integer}
"""


def test_a_faulty_pipeline_is_refused_with_field_and_line() -> None:
    """The same words as on the command line, each fault with its field."""
    with pytest.raises(HTTPException) as caught:
        _parsed("m", BODY.encode())

    assert caught.value.status_code == 422
    assert isinstance(caught.value.extra, dict)
    assert caught.value.extra["errors"] == [
        {
            "field": "data.columns.c.values.0",
            "message": "YAML reads Yes as true; write 'Yes' in quotes (line 6)",
        },
        {"field": "data.columns.y", "message": "the key stands twice, first on line 7; keep one of the two (line 8)"},
    ]


def test_a_body_that_is_no_mapping_is_no_pipeline_file() -> None:
    """Not even one with faults."""
    with pytest.raises(HTTPException) as caught:
        _parsed("m", b"a: !!bool x")

    assert caught.value.status_code == 400
