"""LRU eviction: where memory is short, the models used least recently are unloaded."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A loaded model that may be evicted: its size in bytes, and when it was used last."""

    model: str
    bytes: int
    used: float


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
