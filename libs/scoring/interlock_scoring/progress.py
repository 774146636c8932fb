"""How far the job is, as an object that the service reads while it runs."""

from __future__ import annotations

import logging
import time

from interlock_artifacts import ArtifactStore
from interlock_contracts.scoring import ScoringPart, ScoringProgress

EVERY_SECONDS = 0.5

_logger = logging.getLogger(__name__)


class Progress:
    """Keeps what is done, and writes ``progress.json`` below a job's prefix at most once in ``EVERY_SECONDS``."""

    def __init__(self, store: ArtifactStore, prefix: str, rows_total: int) -> None:
        self._store = store
        self._key = f"{prefix}/progress.json"
        self._total = rows_total
        self.finished: dict[int, ScoringPart] = {}
        self._written = float("-inf")

    def finish(self, part: ScoringPart) -> None:
        """Take note of a part that is done."""
        self.finished[part.number] = part
        if time.monotonic() - self._written >= EVERY_SECONDS:
            self.write()

    def write(self) -> None:
        """Write; progress is expendable: when the store does not answer, the scoring goes on."""
        self._written = time.monotonic()
        rows = sum(part.rows for part in self.finished.values())
        now = ScoringProgress(rows=rows, rows_total=self._total, parts=len(self.finished))
        try:
            self._store.put_latest(self._key, now.model_dump_json().encode())
        except ConnectionError as error:
            _logger.warning("progress could not be written: %s", error)
