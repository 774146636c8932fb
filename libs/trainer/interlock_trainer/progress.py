"""How far the job is, as an object that the dispatcher reads while it runs."""

import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from interlock_artifacts import ArtifactStore

EVERY_SECONDS = 1.0

_logger = logging.getLogger(__name__)


class Progress:
    """Writes ``progress.json`` below a run's prefix, at most once in ``EVERY_SECONDS``."""

    def __init__(self, store: ArtifactStore, prefix: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._key = f"{prefix}/progress.json"
        self._clock = clock
        self._written = float("-inf")
        self._state: dict[str, Any] = {"trials_done": 0, "trials_total": 0, "best_score": None, "metric": None}
        self._counter = 0

    def update(self, **changes: Any) -> None:
        """Change what is told: ``stage``, ``trials_done``, ``trials_total``, ``best_score``, ``metric``, ``message``.

        Progress is expendable: when the store does not answer, the training goes on.
        """
        self._state |= changes
        if self._clock() - self._written < EVERY_SECONDS:
            return
        self._written = self._clock()
        self._counter += 1
        body = self._state | {"counter": self._counter, "at": datetime.now(UTC).isoformat()}
        try:
            self._store.put_latest(self._key, json.dumps(body).encode())
        except ConnectionError as error:
            _logger.warning("progress could not be written: %s", error)
