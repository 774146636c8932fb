"""Load generator: sends predictions over several connections in the background, and records every answer."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

CLIENTS = 4
"""Separate connections, so that every gateway worker is likely to get some of the requests."""

TIMEOUT = 60
"""Seconds after which an answer counts as failed: a request that waits on a busy machine has not been dropped."""

PAUSE = 0.05
"""Seconds between two requests of one connection: the training needs the processor, too."""


@dataclass(frozen=True)
class Answer:
    """One answer: when it came (seconds since the epoch), and the version that gave it; 0 for a failed request."""

    at: float
    version: int
    error: str | None = None


@dataclass
class LoadGenerator:
    """Sends requests while used as a context manager; keeps one list of answers for each connection."""

    url: str
    key: str
    model: str
    row: dict[str, Any]
    answers: list[list[Answer]] = field(default_factory=lambda: [[] for _ in range(CLIENTS)])

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(own,)) for own in self.answers]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, own: list[Answer]) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT) as http:
            while not self._stop.wait(PAUSE):
                own.append(self._answer(http))

    def _answer(self, http: httpx.Client) -> Answer:
        try:
            answer = http.post(f"/models/{self.model}/predict", json={"rows": [self.row]})
        except httpx.HTTPError as error:
            return Answer(time.time(), 0, repr(error))
        if answer.status_code != httpx.codes.OK:
            return Answer(time.time(), 0, f"{answer.status_code} {answer.text[:200]}")
        return Answer(time.time(), answer.json()["version"])

    @property
    def total(self) -> int:
        """Return how many requests were made."""
        return sum(map(len, self.answers))

    @property
    def failures(self) -> list[str]:
        """Return the error of each failed request."""
        return [answer.error for own in self.answers for answer in own if answer.error is not None]

    @property
    def monotonic(self) -> bool:
        """Return whether no connection ever got an answer from an older version than before."""
        versions = [[answer.version for answer in own if answer.version] for own in self.answers]
        return all(own == sorted(own) for own in versions)

    def all_answered_by(self, version: int) -> bool:
        """Return whether every connection's last answer came from ``version``."""
        return all(own and own[-1].version == version for own in self.answers)

    def first_answer_of(self, version: int) -> float:
        """Return when a version first answered, in seconds since the epoch."""
        return min(answer.at for own in self.answers for answer in own if answer.version == version)
