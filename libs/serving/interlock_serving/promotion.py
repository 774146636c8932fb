"""A promotion, and the backoff after a load of its version that failed."""

from dataclasses import dataclass

from interlock_contracts import telemetry
from interlock_contracts.refs import ModelRef
from interlock_contracts.signature import PromotionSignature

FIRST_RETRY_SECONDS = 10.0
LAST_RETRY_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Promotion:
    """What should serve from now on, from an event or read from the registry; ``seq`` counts up per model.

    ``trace`` is the promotion's own trace context (a ``traceparent``), for links from predictions; ``signed`` is the
    registry's signature, without which a promotion has no effect.
    """

    ref: ModelRef
    seq: int
    trace: str | None = None
    signed: PromotionSignature | None = None

    def described(self, worker: str) -> dict[str, str | int]:
        """Return the attributes of the span of this promotion's swap in ``worker``."""
        return {
            telemetry.PIPELINE: self.ref.model,
            telemetry.MODEL: self.ref.model,
            telemetry.VERSION: self.ref.version,
            telemetry.PROMOTION_SEQ: self.seq,
            telemetry.WORKER: worker,
            telemetry.TASK: telemetry.SPAN_SWAP,
            telemetry.TASK_RUN: f"{self.ref.model}/{self.seq}/{worker}",
        }


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
    pause = 0.0 if outage else min(FIRST_RETRY_SECONDS * 2.0 ** min(tries - 1, 10), LAST_RETRY_SECONDS)
    return LoadFailure(promotion, f"{type(error).__name__}: {error}", outage, tries, retry_at=now + pause)
