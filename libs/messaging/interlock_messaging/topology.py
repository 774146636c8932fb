"""Names and arguments of everything on the broker: exchanges, queues, retry levels, dead letters.

An admin declares it (``python -m interlock_messaging``). Services have no right to, and only wait for it: what they
share is marked ``declare=False``, for which FastStream asks passively.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Iterable, Sequence

import aio_pika
import aio_pika.exceptions
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue
from faststream.rabbit import ExchangeType, QueueType, RabbitBroker, RabbitExchange, RabbitQueue
from interlock_contracts import permissions
from interlock_contracts.catalog import BY_TYPE, ROUTES
from interlock_contracts.event import Event
from interlock_contracts.permissions import RETRY_SECONDS

logger = logging.getLogger(__name__)

EXCHANGE = RabbitExchange(permissions.EVENTS, type=ExchangeType.TOPIC, durable=True, declare=False)
DEAD_EXCHANGE = RabbitExchange(permissions.DEAD, type=ExchangeType.TOPIC, durable=True, declare=False)
PING_EXCHANGE = RabbitExchange(permissions.PING, type=ExchangeType.TOPIC, durable=True, declare=False)
REPLAY_EXCHANGE = RabbitExchange(permissions.REPLAY, type=ExchangeType.DIRECT, durable=True, declare=False)

DELIVERY_LIMIT = 50
"""Deliveries after which the broker itself gives up: a backstop against crash loops, never the retry counter."""


def retry_exchange(seconds: int) -> RabbitExchange:
    """Return the exchange whose queue gives a message back to the queue named by its routing key.

    A topic exchange, as only for these RabbitMQ checks who may use which routing key.
    """
    return RabbitExchange(
        permissions.RETRY.format(seconds=seconds), type=ExchangeType.TOPIC, durable=True, declare=False
    )


def queue(service: str, event: type[Event]) -> RabbitQueue:
    """Return the durable queue that all replicas of ``service`` share for one event type."""
    max_queue_length = BY_TYPE[event.type].max_queue_length if event.type in BY_TYPE else None
    return _durable(f"{service}.{event.type}", event.type, max_queue_length)


def former_queues(event: type[Event]) -> list[RabbitQueue]:
    """Return the queues in which events of this type may still wait for consumers of the last release."""
    return [queue(service, event) for service in BY_TYPE[event.type].former_consumers]


def queues(service: str, event: type[Event]) -> list[RabbitQueue]:
    """Return the queues that ``service`` reads for one event type: its own, and those of former consumers."""
    return [queue(service, event), *former_queues(event)]


def readers(queue: str) -> tuple[str, ...]:
    """Return the services that read the queue of this name, and so may give themselves a copy for another attempt."""
    service, _, event_type = queue.partition(".")
    route = BY_TYPE.get(event_type)
    return (service, *(route.consumers if route is not None and service in route.former_consumers else ()))


def observed() -> RabbitQueue:
    """Return the durable queue that all replicas of the observer share, for every event that is not ephemeral."""
    return _durable(permissions.OBSERVED, "#")


def types_of(queue: RabbitQueue) -> Sequence[str]:
    """Return the event types that a queue is for."""
    if queue.name != permissions.OBSERVED:
        return [queue.routing_key]
    return [route.event.type for route in ROUTES if not route.ephemeral]


def _durable(name: str, routing_key: str, max_queue_length: int | None = None) -> RabbitQueue:
    return RabbitQueue(
        name,
        queue_type=QueueType.QUORUM,
        durable=True,
        declare=False,
        routing_key=routing_key,
        arguments={
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD_EXCHANGE.name,
            "x-dead-letter-routing-key": name,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            **({"x-max-length": max_queue_length} if max_queue_length is not None else {}),
        },
    )


def process_name() -> str:
    """Return a name for this process that no other has, also not one that had its process id before."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


def worker_queue(service: str, event: type[Event], worker: str) -> RabbitQueue:
    """Return one process's own queue: every worker must get a promotion, and one that has ended needs no copy."""
    return RabbitQueue(
        f"{service}.{event.type}.{worker}", durable=False, exclusive=True, auto_delete=True, routing_key=event.type
    )


async def declare(url: str, others: Iterable[RabbitQueue] = ()) -> None:
    """Declare the whole catalog, and ``others``, as the admin that ``url`` names; repeating it changes nothing.

    Everyone's queues are there before anyone runs, so an event published before its consumer has ever run waits for it.
    """
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        events, dead, replay = [await _exchange(channel, each) for each in (EXCHANGE, DEAD_EXCHANGE, REPLAY_EXCHANGE)]
        for exchange, through in (
            (PING_EXCHANGE, _PING_QUEUE),
            *((retry_exchange(seconds), _retry_queue(seconds)) for seconds in RETRY_SECONDS),
        ):
            await (await _queue(channel, through)).bind(await _exchange(channel, exchange), routing_key="#")
        # Before today's consumers receive anything: no event may lie in an old queue and a new one.
        former = {each.name: each for route in ROUTES for each in former_queues(route.event)}
        for each in former.values():
            await (await _queue(channel, each)).unbind(events, routing_key=each.routing_key)
        known = [queue(service, route.event) for route in ROUTES for service in route.consumers]
        for each in {
            each.name: each for each in (*former.values(), *known, observed(), *others) if each.durable
        }.values():
            letters = await _queue(channel, RabbitQueue(f"{each.name}.dead", queue_type=QueueType.QUORUM, durable=True))
            await letters.bind(dead, routing_key=each.name)
            bound = await _queue(channel, each)
            for event_type in types_of(each) if each.name not in former else ():
                await bound.bind(events, routing_key=event_type)
            await bound.bind(replay, routing_key=each.name)


async def _exchange(channel: AbstractChannel, exchange: RabbitExchange) -> AbstractExchange:
    return await channel.declare_exchange(exchange.name, exchange.type.value, durable=True)


async def _queue(channel: AbstractChannel, queue: RabbitQueue) -> AbstractQueue:
    return await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments or {}))


async def wait_for_topology(broker: RabbitBroker, queues: Iterable[RabbitQueue]) -> None:
    """Wait until an admin has declared the exchanges and those of ``queues`` that processes share."""
    while True:
        try:
            for exchange in (EXCHANGE, DEAD_EXCHANGE, PING_EXCHANGE, *map(retry_exchange, RETRY_SECONDS)):
                await broker.declare_exchange(exchange)
            for each in queues:
                if each.durable:
                    await broker.declare_queue(each)
        except aio_pika.exceptions.ChannelNotFoundEntity as missing:
            logger.warning("waiting for the topology, which `python -m interlock_messaging` makes: %s", missing)
            await asyncio.sleep(1)
        else:
            return


_PING_QUEUE = RabbitQueue(
    permissions.PING,
    queue_type=QueueType.QUORUM,
    durable=True,
    # Without at-least-once: a ping to a worker that died is dropped, where a retry waits until its queue is there. A
    # queue of retries gives out 32 at a time, so as many dead workers' pings among them would hold up every retry.
    arguments={"x-message-ttl": 1000, "x-dead-letter-exchange": ""},
)


def _retry_queue(seconds: int) -> RabbitQueue:
    return RabbitQueue(
        permissions.RETRY.format(seconds=seconds),
        queue_type=QueueType.QUORUM,
        durable=True,
        arguments={
            "x-message-ttl": seconds * 1000,
            "x-dead-letter-exchange": "",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )
