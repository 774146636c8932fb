"""A promotion: which version of a model should serve, with its signature and its trace context."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from interlock_contracts import telemetry
from interlock_contracts.http import ServingView
from interlock_contracts.models import ModelPromoted
from interlock_contracts.refs import ModelRef
from interlock_contracts.signature import PromotionSignature
from interlock_contracts.stages import PRODUCTION
from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()


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
    stage: str = PRODUCTION

    @classmethod
    def of(cls, source: ModelPromoted | ServingView) -> "Promotion":
        """Return the promotion of an event, or of the registry's answer."""
        return cls(source.ref, source.promotion_seq, source.promotion, source.signed, source.stage)

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
