"""LRU eviction under a memory limit: memory is freed before a load, by unloading the models used least recently."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

logger = logging.getLogger(__name__)


class TooLargeError(Exception):
    """A model alone takes more memory than all together may."""


class MemoryLimitError(Exception):
    """The memory limit leaves too little now; nothing is wrong with the model."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A loaded model that may be evicted: its size in bytes, and when it was used last."""

    model: str
    bytes: int
    used: float


class Evictable(Protocol):
    """A model's place in memory, as far as eviction needs it; ``bytes`` is 0 where nothing is loaded."""

    model: str
    bytes: int
    used: float

    def drop(self) -> None:
        """Unload it; requests that have it finish with it."""


def lru_victims(need: int, limit: int, loaded: Iterable[LoadedModel]) -> list[str] | None:
    """Return the models to evict so that ``need`` bytes more fit below ``limit``, the least recently used first.

    None where not even all of them are enough.
    """
    kept = sorted(loaded, key=lambda each: each.used)
    used = sum(each.bytes for each in kept)
    gone = []
    for each in kept:
        if used + need <= limit:
            break
        used -= each.bytes
        gone.append(each.model)
    return gone if used + need <= limit else None


class ModelMemory:
    """What the models of one process may take together: ``limit`` bytes, counted as the loader does.

    ``setting`` is the name of the environment variable that sets the limit, for messages.
    """

    def __init__(self, limit: int, setting: str) -> None:
        self._limit = limit
        self._setting = setting
        self._places: dict[str, Evictable] = {}
        self._loading: dict[str, int] = {}

    def add(self, place: Evictable) -> None:
        """Let ``place`` be evicted from now on."""
        self._places[place.model] = place

    def fits(self, model: str, size: int) -> bool:
        """Return whether ``size`` bytes for ``model`` fit without an eviction."""
        return self._victims(model, size) == []

    @contextmanager
    def reserved(self, model: str, size: int, *, evict: bool) -> Iterator[None]:
        """Reserve ``size`` bytes for ``model`` while the block loads; with ``evict``, others may be evicted for it.

        Raises:
            TooLargeError: ``size`` is over the limit.
            MemoryLimitError: others would have to go and must not, or are being loaded themselves.
        """
        if size > self._limit:
            limit = f"{self._setting} allows {self._limit} for all models"
            raise TooLargeError(f"it takes {size} bytes, and {limit}; raise that setting, or promote a smaller version")
        victims = self._victims(model, size)
        if victims is None or (victims and not evict):
            raise MemoryLimitError
        for name in victims:
            self._places[name].drop()
            logger.info("%s is evicted to free memory for %s", name, model)
        self._loading[model] = size
        try:
            yield
        finally:
            del self._loading[model]

    def _victims(self, model: str, size: int) -> list[str] | None:
        """Return which others must go; what ``model`` itself takes now is given back after its swap."""
        others = [
            LoadedModel(name, place.bytes, place.used)
            for name, place in self._places.items()
            if place.bytes and name != model and name not in self._loading
        ]
        return lru_victims(size + sum(self._loading.values()), self._limit, others)
