"""Spans of predictions: decided first, made only when wanted, so what nobody looks at costs next to nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import random

from interlock_contracts import telemetry
from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from interlock_gateway.models.batcher import BatchedModel

_LENGTH = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
_SAMPLED = 1

_METHOD, _, _ROUTE = telemetry.SPAN_PREDICT.partition(" ")
_HTTP: dict[str, str | int] = {telemetry.METHOD: _METHOD, telemetry.ROUTE: _ROUTE}
_TO_PROMOTION = {telemetry.LINK: telemetry.LINK_PROMOTION}

_tracer = trace.get_tracer("interlock.gateway")
_propagator = TraceContextTextMapPropagator()


class TraceSampler:
    """Decides which predictions get a span: as the caller's ``traceparent`` says, else a random ``ratio`` of them."""

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio

    def wants(self, traceparent: bytes | None) -> bool:
        """Return whether to record; a ``traceparent`` that is none counts as absent."""
        if traceparent is not None and len(traceparent) >= _LENGTH:
            try:
                return bool(int(traceparent[_LENGTH - 2 : _LENGTH], 16) & _SAMPLED)
            except ValueError:
                pass
        return random() < self._ratio  # noqa: S311 - whom it hits need not be a secret


@contextmanager
def prediction_span(
    name: str, serving: BatchedModel | None, headers: Mapping[bytes, bytes], *, since: int | None = None
) -> Iterator[Span]:
    """Make the span of one prediction, a child of the caller's, linked to the promotion that put the model there.

    ``since`` is when it began, in nanoseconds since 1970, if that is not now.
    """
    carrier = {key: headers[key.encode()].decode("latin-1") for key in _propagator.fields if key.encode() in headers}
    attributes: dict[str, str | int] = {**_HTTP, telemetry.MODEL: name}
    if serving is not None:
        attributes |= {telemetry.VERSION: serving.version, telemetry.PROMOTION_SEQ: serving.promotion_seq}
    with _tracer.start_as_current_span(
        telemetry.SPAN_PREDICT,
        context=_propagator.extract(carrier),
        kind=SpanKind.SERVER,
        links=_links(serving.trace) if serving is not None and serving.trace else None,
        attributes=attributes,
        start_time=since,
    ) as span:
        yield span


def _links(traceparent: str) -> list[Link]:
    promotion = trace.get_current_span(_propagator.extract({"traceparent": traceparent})).get_span_context()
    return [Link(promotion, _TO_PROMOTION)] if promotion.is_valid else []
