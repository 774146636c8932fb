"""The parts of one answer: each is stored by content, then noted once under its number; what is noted is done."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from interlock_artifacts import ArtifactStore
from interlock_contracts.predictions import RowFault
from interlock_contracts.scoring import ScoringJob, ScoringPart
from interlock_modeling import Model, ModelDescription
from interlock_tables.findings import UnreadableError

from interlock_scoring.answers import added_columns, answer
from interlock_scoring.logged import logged_lines
from interlock_scoring.rows import Rows

OWNER = "interlock.prediction"
"""In an answer's metadata, the prediction that it is of: so no two share bytes, and one that expires can be deleted."""


class RowsRefusedError(Exception):
    """Rows do not fit the model, and the job says that the file fails then."""

    def __init__(self, errors: list[RowFault]) -> None:
        super().__init__(errors)
        self.errors = errors


@dataclass(frozen=True)
class Parts:
    """Scores parts of one job and finds those that are done; ``folder`` keeps local copies, or None where none help."""

    store: ArtifactStore
    job: ScoringJob
    folder: Path | None = None

    def done(self, number: int) -> ScoringPart | None:
        """Return what is noted of a part; None when it is still to be scored."""
        noted = self.store.read(self._key(number))
        return ScoringPart.model_validate_json(noted) if noted is not None else None

    def score(self, number: int, rows: Rows) -> ScoringPart:
        """Answer one part and keep the answer; whoever does it again stores the same bytes.

        Raises:
            RowsRefusedError: the job says ``on_error: fail``, and rows do not fit.
        """
        table = answer(self.model, rows, self.job)
        if rows.faults and self.job.on_error == "fail":
            raise RowsRefusedError(rows.first_faults())
        with TemporaryDirectory(prefix="interlock-part-") as name:
            path = Path(name) / "part.parquet"
            _write(table.replace_schema_metadata({OWNER: str(self.job.prediction_id)}), path)
            ref = self.store.put_file(path)
            if self.folder is not None:
                shutil.move(path, self.folder / ref.sha256)
        if self.job.log:
            lines = logged_lines(self.job, number, rows, table, self.model.signature)
            self.store.put_once(self.job.logged_key(number), lines)
        part = ScoringPart(number=number, rows=len(rows), unanswered=len(rows.faults), answer=ref)
        self.store.put_once(self._key(number), part.model_dump_json().encode())
        return part

    def fetched(self, part: ScoringPart, folder: Path) -> Path:
        """Return a local file with a part's answer."""
        path = folder / part.answer.sha256
        if not path.exists():
            self.store.fetch_file(part.answer, path)
        return path

    @cached_property
    def model(self) -> Model:
        """Return the job's model, loaded when it is first asked."""
        description = ModelDescription.parse(self.store.fetch(self.job.model.artifact))
        with TemporaryDirectory(prefix="interlock-model-") as name:
            engine = Path(name) / "engine"
            self.store.fetch_file(description.engine.ref, engine)
            return Model.load(description, engine)  # what is mapped stays, though the name goes

    def refuse_clashes(self, names: list[str]) -> None:
        """Raise UnreadableError where the file has a column that the answer needs for itself."""
        added = added_columns(self.model.signature, self.job)
        clashes = [name for name in added if name in names]
        if clashes:
            why = f"the file has a column {clashes[0]!r}, which the answer adds; rename it"
            raise UnreadableError("column_clash", why)

    def _key(self, number: int) -> str:
        return f"{self.job.prefix}/parts/{number:06}.json"


def _write(table: pa.Table, path: Path) -> None:
    """Write one part as one row group, without page index: its body can stand anywhere in a larger file."""
    pq.write_table(table, path, row_group_size=table.num_rows, compression="zstd", compression_level=1)
