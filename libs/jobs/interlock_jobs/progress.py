"""Progress of a job: an object below its prefix that the service reads while the job runs."""

import logging
import time
from collections.abc import Callable

from interlock_artifacts import ArtifactStore

_logger = logging.getLogger(__name__)


class ProgressWriter:
    """Replaces ``progress.json`` below a job's prefix; throttled writes are ``interval`` seconds apart.

    Progress is expendable: where the store does not answer, the job goes on.
    """

    def __init__(
        self, store: ArtifactStore, prefix: str, interval: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._key = f"{prefix}/progress.json"
        self._interval = interval
        self._clock = clock
        self._written = float("-inf")

    def write_throttled(self, body: Callable[[], bytes]) -> None:
        """Write what ``body`` returns; do nothing where the last write was less than ``interval`` seconds ago."""
        if self._clock() - self._written >= self._interval:
            self.write(body())

    def write(self, body: bytes) -> None:
        """Write now."""
        self._written = self._clock()
        try:
            self._store.put_latest(self._key, body)
        except ConnectionError as error:
            _logger.warning("progress could not be written: %s", error)
