"""Worker pools in which parts are scored: threads, as Arrow, the engines and Parquet release the interpreter lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from interlock_contracts.scoring import ScoringPart

from interlock_scoring.parts import Parts
from interlock_scoring.rows import Rows


class Pool(Protocol):
    """Scores parts on several CPUs at once."""

    def run(self, numbered: Iterable[tuple[int, Rows]]) -> Iterator[ScoringPart]:
        """Yield each part when it is done, in any order; only a few parts are taken ahead, so memory stays flat."""
        ...


class ThreadPool:
    """Threads of this process."""

    def __init__(self, parts: Parts, threads: int) -> None:
        self._parts = parts
        self._threads = threads

    def run(self, numbered: Iterable[tuple[int, Rows]]) -> Iterator[ScoringPart]:
        """Score on as many threads as there are, with one part waiting."""
        with ThreadPoolExecutor(self._threads) as executor:
            waiting: set[Future[ScoringPart]] = set()
            for number, rows in numbered:
                waiting.add(executor.submit(self._parts.score, number, rows))
                if len(waiting) > self._threads:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            yield from (future.result() for future in waiting)
