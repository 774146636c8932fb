"""Spans of messages that are handled, as the semantic conventions of messaging have them (decision 0095)."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from faststream.rabbit import RabbitQueue
from interlock_contracts import telemetry
from interlock_contracts.event import Envelope
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from interlock_messaging.publishing import about

_tracer = trace.get_tracer("interlock.messaging")
_propagator = TraceContextTextMapPropagator()


def handling(message: Any, envelope: Envelope, queue: RabbitQueue, *, attempt: int) -> AbstractContextManager[Span]:
    """Record the handling of one message, the ``attempt``-th, as a child of the hop that brought it.

    The span in which the event was enqueued is linked: between the two lie the outbox and the relay.
    """
    original = getattr(message, "raw_message", message)  # FastStream's message wraps aio-pika's
    more: dict[str, str | int | float | bool] = {
        telemetry.MESSAGING_MESSAGE_ID: envelope.id,
        telemetry.MESSAGING_BODY_SIZE: len(message.body),
        telemetry.ATTEMPT: attempt,
        telemetry.REDELIVERED: bool(getattr(original, "redelivered", False)),
    }
    if envelope.time is not None and envelope.time.tzinfo is not None:
        more[telemetry.WAITED] = max(0.0, (datetime.now(UTC) - envelope.time).total_seconds())
    origin = _span_context(_extracted(envelope.traceparent))
    return _tracer.start_as_current_span(
        telemetry.SPAN_PROCESS.format(destination=_template(queue)),
        context=hop(message.headers, envelope),
        kind=SpanKind.CONSUMER,
        links=[Link(origin, {telemetry.LINK: telemetry.LINK_ORIGIN})] if origin.is_valid else None,
        record_exception=False,
        set_status_on_exception=False,
        attributes={**_destination(queue), **about(envelope), **more},
    )


def handling_together(hops: Sequence[Context], queue: RabbitQueue) -> AbstractContextManager[Span]:
    """Record the handling of a batch: a message alone continues its trace, several are linked."""
    alone = len(hops) == 1
    spans = [_span_context(each) for each in hops]
    links = [Link(span) for span in spans if span.is_valid and span.trace_flags.sampled]
    return _tracer.start_as_current_span(
        telemetry.SPAN_PROCESS.format(destination=_template(queue)),
        context=hops[0] if alone else None,
        kind=SpanKind.CONSUMER,
        links=None if alone else links,
        attributes={**_destination(queue), telemetry.MESSAGING_BATCH: len(hops)},
    )


def hop(headers: Mapping[str, Any], envelope: Envelope) -> Context:
    """Return the context in which a message was sent; without one, that in which its event was enqueued."""
    traceparent = headers.get("traceparent") or envelope.traceparent
    return _extracted(str(traceparent) if traceparent else None)


def happened(what: str, **attributes: str | int) -> None:
    """Add to the present span what has become of its message, ``telemetry.EVENT_RETRIED`` for instance."""
    trace.get_current_span().add_event(what, attributes)


def _extracted(traceparent: str | None) -> Context:
    return _propagator.extract({"traceparent": traceparent} if traceparent else {})


def _span_context(context: Context) -> SpanContext:
    return trace.get_current_span(context).get_span_context()


def _template(queue: RabbitQueue) -> str:
    """Return a queue's name; without the worker's, where each has its own, as a span's name is one of few."""
    if queue.durable:
        return queue.name
    before, key, _ = queue.name.partition(queue.routing_key)
    return before + key


def _destination(queue: RabbitQueue) -> dict[str, str | bool]:
    attributes: dict[str, str | bool] = {
        telemetry.MESSAGING_SYSTEM: "rabbitmq",
        telemetry.MESSAGING_OPERATION: "process",
        telemetry.MESSAGING_OPERATION_TYPE: "process",
        telemetry.MESSAGING_DESTINATION: queue.name,
        telemetry.MESSAGING_ROUTING_KEY: queue.routing_key,
    }
    if not queue.durable:
        attributes |= {telemetry.MESSAGING_TEMPLATE: _template(queue), telemetry.MESSAGING_TEMPORARY: True}
    return attributes
