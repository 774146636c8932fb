"""Progress of scoring a file, as the service reads it while it runs."""

from __future__ import annotations

from interlock_artifacts import ArtifactStore
from interlock_contracts.scoring import ScoringPart, ScoringProgress
from interlock_jobs.progress import ProgressWriter

EVERY_SECONDS = 0.5


class Progress:
    """Keeps what is done, and writes how much that is at most once in ``EVERY_SECONDS``."""

    def __init__(self, store: ArtifactStore, prefix: str, rows_total: int) -> None:
        self._writer = ProgressWriter(store, prefix, EVERY_SECONDS)
        self._total = rows_total
        self.finished: dict[int, ScoringPart] = {}

    def finish(self, part: ScoringPart) -> None:
        """Take note of a part that is done."""
        self.finished[part.number] = part
        self._writer.write_throttled(self._body)

    def write(self) -> None:
        """Write now."""
        self._writer.write(self._body())

    def _body(self) -> bytes:
        rows = sum(part.rows for part in self.finished.values())
        now = ScoringProgress(rows=rows, rows_total=self._total, parts=len(self.finished))
        return now.model_dump_json().encode()
