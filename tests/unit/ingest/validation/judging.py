"""Judge a file made up on the spot."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from interlock_contracts.datasets import Finding
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import DatasetRole
from interlock_ingest.validation import ValidationResult
from interlock_ingest.validation.validate import validate
from interlock_modeling.split import HashForm

NUMBERS = {"x": {"type": "number"}, "y": {"type": "number"}}


class Judged:
    """A result and, of an accepted file, the stored rows of both sides."""

    def __init__(self, result: ValidationResult) -> None:
        self.result = result
        self.reasons = {reason.rule: reason for reason in result.reasons}
        self.warnings = {warning.rule: warning for warning in result.warnings}
        self.train: pa.Table | None = None
        self.holdout: pa.Table | None = None
        self.digests: tuple[bytes, bytes] | None = None
        if result.parts is not None:
            self.train, self.holdout = pq.read_table(result.parts.train), pq.read_table(result.parts.holdout)
            self.digests = result.parts.train.read_bytes(), result.parts.holdout.read_bytes()

    def rows(self) -> list[dict[str, Any]]:
        """Return all stored rows, training first."""
        assert self.train is not None, self.result.reasons
        assert self.holdout is not None
        return [*self.train.to_pylist(), *self.holdout.to_pylist()]

    def reason(self, rule: str) -> Finding:
        """Return the one reason there is, which must be of this rule."""
        assert list(self.reasons) == [rule], self.result.reasons
        return self.reasons[rule]


def declared_pipeline(columns: dict[str, Any], target: str | dict[str, str] = "y", **data: Any) -> Pipeline:
    """Return a pipeline with these columns and settings of ``data``."""
    predicted = columns[target if isinstance(target, str) else target["column"]]
    return Pipeline.model_validate(
        {
            "name": "made-up",
            "task": "regression" if predicted["type"] in ("number", "integer") else "classification",
            "target": target,
            "data": {"columns": columns, **data},
        }
    )


def judge(
    content: bytes | str,
    columns: dict[str, Any] | None = None,
    target: str | dict[str, str] = "y",
    role: DatasetRole = "training",
    form: HashForm = 1,
    **data: Any,
) -> Judged:
    """Return what becomes of the content under a pipeline with these columns and settings of ``data``."""
    pipeline = declared_pipeline(columns or NUMBERS, target, **data)
    with TemporaryDirectory() as name:
        file, folder = Path(name) / "file", Path(name) / "check"
        folder.mkdir()
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        result = validate(file, pipeline, folder, role, form)
        assert result.accepted == (not result.reasons)
        ValidationResult.model_validate_json(result.model_dump_json())
        return Judged(result)
