"""A promotion, and the backoff after a load of its version that failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from interlock_contracts import telemetry
from interlock_contracts.http import ServingView
from interlock_contracts.models import ModelPromoted
from interlock_contracts.refs import ModelRef
from interlock_contracts.signature import PromotionSignature
from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()

FIRST_RETRY_SECONDS = 10.0
MAX_BACKOFF_SECONDS = 600.0


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

    @classmethod
    def of(cls, source: ModelPromoted | ServingView) -> "Promotion":
        """Return the promotion of an event, or of the registry's answer."""
        return cls(source.ref, source.promotion_seq, source.promotion, source.signed)

    @property
    def cause(self) -> str:
        """Return the causation id of what follows from it where no event has brought it."""
        return f"promotion/{self.ref.model}/{self.seq}"

    @property
    def trace_context(self) -> context.Context:
        """Return its own trace context; without one, a new trace begins."""
        return _propagator.extract({"traceparent": self.trace} if self.trace else {})

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


@contextmanager
def attached(parent: context.Context) -> Iterator[None]:
    """Make ``parent`` the current trace context while the block lasts."""
    token = context.attach(parent)
    try:
        yield
    finally:
        context.detach(token)


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
