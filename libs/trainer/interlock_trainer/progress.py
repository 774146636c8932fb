"""Progress of a training, as `train_dispatch` reads it while it runs."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from interlock_artifacts import ArtifactStore
from interlock_jobs.progress import ProgressWriter

EVERY_SECONDS = 1.0


class Progress:
    """State of a training, written at most once in ``EVERY_SECONDS``."""

    def __init__(self, store: ArtifactStore, prefix: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._writer = ProgressWriter(store, prefix, EVERY_SECONDS, clock)
        self._state: dict[str, Any] = {"trials_done": 0, "trials_total": 0, "best_score": None, "metric": None}
        self._counter = 0

    def update(self, **changes: Any) -> None:
        """Change ``stage``, ``trials_done``, ``trials_total``, ``best_score``, ``metric`` or ``message``."""
        self._state |= changes
        self._writer.write_throttled(self._next)

    def _next(self) -> bytes:
        self._counter += 1
        return json.dumps(self._state | {"counter": self._counter, "at": datetime.now(UTC).isoformat()}).encode()
