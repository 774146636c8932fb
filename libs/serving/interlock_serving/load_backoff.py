"""Exponential backoff after a load that failed: what failed and why, and when the next try is due."""

from dataclasses import dataclass

from interlock_serving.promotion import Promotion

FIRST_RETRY_SECONDS = 10.0
MAX_BACKOFF_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class LoadFailure:
    """A load that failed; ``outage`` when a dependency was down, so that the version itself may be sound.

    ``retry_at`` is a time of the event loop's clock, in seconds.
    """

    promotion: Promotion
    reason: str
    outage: bool
    tries: int
    retry_at: float


def load_failure(promotion: Promotion, error: Exception, *, now: float, last: LoadFailure | None) -> LoadFailure:
    """Return how a load failed, and from when on, counted as ``now`` is, it is worth another try.

    Exponential backoff, from ten seconds doubling to ten minutes, for the same bytes will fail again; after an outage,
    which passes by itself, at once.
    """
    outage = isinstance(error, ConnectionError | TimeoutError)
    tries = last.tries + 1 if last is not None and last.promotion.seq == promotion.seq else 1
    pause = 0.0 if outage else min(FIRST_RETRY_SECONDS * 2.0 ** min(tries - 1, 10), MAX_BACKOFF_SECONDS)
    return LoadFailure(promotion, f"{type(error).__name__}: {error}", outage, tries, retry_at=now + pause)
