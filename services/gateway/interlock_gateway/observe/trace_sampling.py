"""Head sampling of prediction spans: decided before a span is made, so an unsampled request costs next to nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import random

from interlock_contracts import telemetry
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from interlock_gateway.models.batcher import BatchedModel

_LENGTH = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
_SAMPLED = 1
_FAILED = 500

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
def prediction_span(name: str, headers: Mapping[bytes, bytes], *, since: int | None = None) -> Iterator[Span]:
    """Make the span of one prediction, a child of the caller's; :func:`end_prediction` records its outcome.

    ``since`` is when it began, in nanoseconds since 1970, if that is not now.
    """
    carrier = {key: headers[key.encode()].decode("latin-1") for key in _propagator.fields if key.encode() in headers}
    with _tracer.start_as_current_span(
        telemetry.SPAN_PREDICT,
        context=_propagator.extract(carrier),
        kind=SpanKind.SERVER,
        attributes={**_HTTP, telemetry.MODEL: name},
        start_time=since,
    ) as span:
        yield span


def end_prediction(span: Span, status: int, serving: BatchedModel | None) -> None:
    """Record status and version, with a link to the promotion of the version."""
    span.set_attribute(telemetry.STATUS, status)
    if status >= _FAILED:
        span.set_status(Status(StatusCode.ERROR))
    if serving is None:
        return
    span.set_attributes({telemetry.VERSION: serving.version, telemetry.PROMOTION_SEQ: serving.promotion_seq})
    if serving.trace:
        promotion = trace.get_current_span(_propagator.extract({"traceparent": serving.trace})).get_span_context()
        if promotion.is_valid:
            span.add_link(promotion, _TO_PROMOTION)
