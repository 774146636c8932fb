"""Publish events: persistent, confirmed, with a span for the hop where the trace is recorded."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import aio_pika.exceptions
import aiormq.exceptions
from faststream.exceptions import IncorrectState
from faststream.rabbit import RabbitBroker
from interlock_contracts import telemetry
from interlock_contracts.catalog import BY_TYPE
from interlock_contracts.event import Envelope
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pamqp.commands import Basic

from interlock_messaging.connecting import connected
from interlock_messaging.publisher_identity import user_of_connection
from interlock_messaging.topology import EXCHANGE

CONFIRM_SECONDS = 5.0
"""How long a confirm may take; a broker under a memory or disk alarm never answers."""

_LOST = (aiormq.exceptions.AMQPError, aio_pika.exceptions.AMQPError, IncorrectState, RuntimeError)
"""What is raised where the connection or its channel is gone."""

_tracer = trace.get_tracer("interlock.messaging")
_propagator = TraceContextTextMapPropagator()


async def send(broker: RabbitBroker, envelope: Envelope, body: bytes) -> str | None:
    """Publish ``body`` under ``envelope`` and wait for the confirm; return why the broker refused it, or None.

    Mandatory wherever the catalog knows a durable consumer, so that a lost binding is an error and not silence.

    Raises:
        ConnectionError, TimeoutError: the broker cannot be reached or does not answer.
    """
    parent = _propagator.extract({"traceparent": envelope.traceparent} if envelope.traceparent else {})
    destination = f"{EXCHANGE.name}:{envelope.type}"
    with _tracer.start_as_current_span(
        telemetry.SPAN_SEND.format(destination=destination),
        context=parent,
        kind=SpanKind.PRODUCER,
        attributes={
            telemetry.MESSAGING_SYSTEM: "rabbitmq",
            telemetry.MESSAGING_OPERATION: "send",
            telemetry.MESSAGING_OPERATION_TYPE: "send",
            telemetry.MESSAGING_DESTINATION: destination,
            telemetry.MESSAGING_ROUTING_KEY: envelope.type,
            telemetry.MESSAGING_MESSAGE_ID: envelope.id,
            telemetry.MESSAGING_BODY_SIZE: len(body),
            **about(envelope),
        },
    ) as span:
        headers: dict[str, Any] = envelope.headers()
        _propagator.inject(headers)
        try:
            await publish(
                broker,
                body,
                exchange=EXCHANGE,
                routing_key=envelope.type,
                headers=headers,
                message_id=envelope.id,
                mandatory=bool(BY_TYPE[envelope.type].consumers),
            )
        except aio_pika.exceptions.DeliveryError as refusal:
            span.set_attribute(telemetry.ERROR_TYPE, type(refusal).__qualname__)
            span.set_status(Status(StatusCode.ERROR, str(refusal)))
            return str(refusal)
    return None


def about(envelope: Envelope) -> dict[str, str]:
    """Return a span's attributes of its event, and of the run where that is the subject."""
    attributes = {
        telemetry.EVENT_ID: envelope.id,
        telemetry.EVENT_TYPE: envelope.type,
        telemetry.EVENT_SOURCE: envelope.source,
    }
    if envelope.subject is not None:
        attributes[telemetry.EVENT_SUBJECT] = envelope.subject
        kind, _, name = envelope.subject.partition("/")
        if kind == "run":
            attributes[telemetry.RUN_ID] = name
    return attributes


Outcome = str | OSError | None
"""Of a message: why the broker refused it, why it is not known to have arrived, or None once it is confirmed."""


async def send_together(broker: RabbitBroker, messages: Sequence[tuple[Envelope, bytes]]) -> list[Outcome]:
    """Publish as :func:`send` does, without spans and past the framework: for events whose traces are not recorded.

    The channel takes the messages in their order, and their confirms share one time limit. Without any, the broker is
    not asked: a relay that has nothing to do keeps no transaction open for one that is away.
    """
    if not messages:
        return []
    sent: list[asyncio.Task[Any]] = []
    lost: OSError = ConnectionError("RabbitMQ: the connection was lost")
    try:
        async with asyncio.timeout(CONFIRM_SECONDS):
            await unblocked(broker)
            exchange = await broker.declare_exchange(EXCHANGE)
            channel: Any = await exchange.channel.get_underlay_channel()  # its base class does not know `wait`
            user = user_of_connection(broker)
            sent = [asyncio.create_task(_basic_publish(channel, user, *each)) for each in messages]
            await asyncio.gather(*sent, return_exceptions=True)
    except TimeoutError:
        lost = TimeoutError(f"RabbitMQ did not confirm within {CONFIRM_SECONDS:g} s")
    except (OSError, *_LOST) as error:
        lost = ConnectionError(f"RabbitMQ: {error}")
    except asyncio.CancelledError:
        if is_ended():
            raise
    return [_outcome(each, lost) for each in sent] or [lost] * len(messages)


def _basic_publish(channel: Any, user: str | None, envelope: Envelope, body: bytes) -> Coroutine[Any, Any, Any]:
    headers: Any = envelope.headers() | {"traceparent": envelope.traceparent}
    properties = Basic.Properties(
        content_type="application/json", headers=headers, delivery_mode=2, message_id=envelope.id, user_id=user
    )
    confirmed: Coroutine[Any, Any, Any] = channel.basic_publish(
        body,
        exchange=EXCHANGE.name,
        routing_key=envelope.type,
        properties=properties,
        mandatory=bool(BY_TYPE[envelope.type].consumers),
        wait=False,  # for the socket, that is: the confirm is waited for
    )
    return confirmed


def _outcome(sent: asyncio.Task[Any], lost: OSError) -> Outcome:
    error = lost if sent.cancelled() else sent.exception()
    if isinstance(error, aiormq.exceptions.DeliveryError):
        return str(error)
    if isinstance(error, _LOST):
        return ConnectionError(f"RabbitMQ: {error}")
    if error is None or isinstance(error, OSError):
        return error
    raise error


def is_recorded(envelope: Envelope) -> bool:
    """Return whether the trace of this event is recorded (sampled); without one, its own begins here."""
    return envelope.traceparent is None or not envelope.traceparent.endswith("-00")


async def unblocked(broker: RabbitBroker) -> None:
    """Wait while an alarm blocks the connection; what is written meanwhile would pile up, and be sent when it ends.

    Raises:
        ConnectionError: there is no connection.
    """
    connection = await connected(broker)
    if connection is None:
        return  # a broker in a test's own memory, which no alarm blocks
    if connection.transport is None:
        raise ConnectionError("RabbitMQ: not connected")
    await connection.transport.connection.ready()


async def publish(broker: RabbitBroker, body: bytes, **options: Any) -> None:
    """Publish raw bytes persistently with a bound on the wait; FastStream's own time-out is not kept when blocked.

    Their content type is JSON's unless the options name another.

    Raises:
        aio_pika.exceptions.DeliveryError: no queue is bound, or the queue is full.
        ConnectionError, TimeoutError: the broker cannot be reached or does not answer.
    """
    try:
        async with asyncio.timeout(CONFIRM_SECONDS):
            await unblocked(broker)
            defaults = {"content_type": "application/json", "user_id": user_of_connection(broker)}
            await broker.publish(body, persist=True, **defaults | options)
    except aio_pika.exceptions.DeliveryError:
        raise
    except _LOST as error:
        raise ConnectionError(f"RabbitMQ: {error}") from error
    except asyncio.CancelledError as error:
        if is_ended():
            raise
        raise ConnectionError("RabbitMQ: the connection was lost") from error


def is_ended() -> bool:
    """Return whether the present task is asked to end; without that, a lost connection has cancelled what it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
