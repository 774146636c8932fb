"""Leaks in held-out rows are noted."""

from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.pipeline import Pipeline
from interlock_evaluation_gate.leaks import leak_notes


def pipeline(**after: str) -> Pipeline:
    columns: dict[str, Any] = {name: {"type": "number"} for name in ("x", "after", "y")}
    columns["after"] |= after
    return Pipeline.model_validate({"name": "m", "task": "regression", "target": "y", "data": {"columns": columns}})


def test_a_feature_that_tells_the_target_is_noted() -> None:
    """Unless it is expected, or no feature; a column that the rows lack is left out, and few rows say nothing."""
    random = np.random.default_rng(0)
    y = random.normal(size=200)
    rows = pa.table({"x": pa.array(random.normal(size=200)), "after": pa.array(np.exp(y)), "y": pa.array(y)})

    [note] = leak_notes(pipeline(), rows)
    assert note.startswith("leak: 'after' alone tells 100.0% of 'y'")
    assert leak_notes(pipeline(leak="expected"), rows) == leak_notes(pipeline(role="ignore"), rows) == []
    assert leak_notes(pipeline(), rows.drop_columns(["after"])) == leak_notes(pipeline(), rows.slice(0, 5)) == []
