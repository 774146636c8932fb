"""Which models a worker holds when memory does not suffice for all: those that were asked last."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resident:
    """A model in memory that may go: what it takes, in bytes, and when it was asked last."""

    model: str
    bytes: int
    used: float


def to_unload(need: int, limit: int, residents: Iterable[Resident]) -> list[str] | None:
    """Return which models must go so that ``need`` bytes more fit below ``limit``, those not asked longest first.

    None where not even all of them are enough.
    """
    kept = sorted(residents, key=lambda each: each.used)
    used = sum(each.bytes for each in kept)
    gone = []
    for each in kept:
        if used + need <= limit:
            break
        used -= each.bytes
        gone.append(each.model)
    return gone if used + need <= limit else None
