"""Judge a file made up on the spot."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from interlock_contracts.datasets import Finding
from interlock_contracts.pipeline import Pipeline
from interlock_ingest.validation import Verdict
from interlock_ingest.validation.validate import validate

NUMBERS = {"x": {"type": "number"}, "y": {"type": "number"}}


class Judged:
    """A verdict and, of an accepted file, the stored rows of both sides."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.reasons = {reason.rule: reason for reason in verdict.reasons}
        self.warnings = {warning.rule: warning for warning in verdict.warnings}
        self.train: pa.Table | None = None
        self.holdout: pa.Table | None = None
        self.digests: tuple[bytes, bytes] | None = None
        if verdict.parts is not None:
            self.train, self.holdout = pq.read_table(verdict.parts.train), pq.read_table(verdict.parts.holdout)
            self.digests = verdict.parts.train.read_bytes(), verdict.parts.holdout.read_bytes()

    def rows(self) -> list[dict[str, Any]]:
        """Return all stored rows, training first."""
        assert self.train is not None, self.verdict.reasons
        assert self.holdout is not None
        return [*self.train.to_pylist(), *self.holdout.to_pylist()]

    def reason(self, rule: str) -> Finding:
        """Return the one reason there is, which must be of this rule."""
        assert list(self.reasons) == [rule], self.verdict.reasons
        return self.reasons[rule]


def judge(content: bytes | str, columns: dict[str, Any] | None = None, target: str = "y", **data: Any) -> Judged:
    """Return what becomes of the content under a pipeline with these columns and settings of ``data``."""
    declared = columns or NUMBERS
    pipeline = Pipeline.model_validate(
        {
            "name": "made-up",
            "task": "regression" if declared[target]["type"] in ("number", "integer") else "classification",
            "target": target,
            "data": {"columns": declared, **data},
        }
    )
    with TemporaryDirectory() as name:
        file, folder = Path(name) / "file", Path(name) / "check"
        folder.mkdir()
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        verdict = validate(file, pipeline, folder)
        assert verdict.accepted == (not verdict.reasons)
        Verdict.model_validate_json(verdict.model_dump_json())
        return Judged(verdict)
