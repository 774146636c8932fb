"""Names and arguments of everything on the broker: exchanges, queues, retry levels, dead letters."""

from faststream.rabbit import ExchangeType, QueueType, RabbitBroker, RabbitExchange, RabbitQueue
from interlock_contracts.catalog import BY_TYPE, ROUTES
from interlock_contracts.event import Event

EXCHANGE = RabbitExchange("interlock.events", type=ExchangeType.TOPIC, durable=True)
DEAD_EXCHANGE = RabbitExchange("interlock.dead", type=ExchangeType.DIRECT, durable=True)

RETRY_SECONDS = (1, 5, 30, 120, 600)
"""Waits before the second to sixth attempt; one queue each, because a TTL expires only at a queue's head."""

CRASH_LIMIT = 50
"""Deliveries after which the broker itself gives up: a backstop against crash loops, never the retry counter."""


def retry_exchange(seconds: int) -> RabbitExchange:
    """Return the exchange whose queue gives a message back to the queue named by its routing key."""
    return RabbitExchange(f"interlock.retry.{seconds}s", type=ExchangeType.FANOUT, durable=True)


def queue(service: str, event: type[Event]) -> RabbitQueue:
    """Return the durable queue that all replicas of ``service`` share for one event type."""
    name = f"{service}.{event.type}"
    backlog = BY_TYPE[event.type].backlog if event.type in BY_TYPE else None
    return RabbitQueue(
        name,
        queue_type=QueueType.QUORUM,
        durable=True,
        routing_key=event.type,
        arguments={
            "x-delivery-limit": CRASH_LIMIT,
            "x-dead-letter-exchange": DEAD_EXCHANGE.name,
            "x-dead-letter-routing-key": name,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            **({"x-max-length": backlog} if backlog is not None else {}),
        },
    )


def worker_queue(service: str, event: type[Event], worker: str) -> RabbitQueue:
    """Return one process's own queue: every worker must hear a promotion, and a dead worker needs no copy."""
    return RabbitQueue(
        f"{service}.{event.type}.{worker}", durable=False, exclusive=True, auto_delete=True, routing_key=event.type
    )


async def declare(broker: RabbitBroker, consumer: RabbitBroker) -> None:
    """Declare through ``broker`` the whole catalog, and what ``consumer``'s subscribers need.

    Whoever starts first declares everyone's queues, so an event said before its consumer has ever run waits for it.
    Every exchange is declared here, on the publishing connection's default channel, before anything consumes:
    FastStream remembers an exchange together with the channel that first declared it. Repeating it changes nothing.
    """
    events = await broker.declare_exchange(EXCHANGE)
    dead = await broker.declare_exchange(DEAD_EXCHANGE)
    for seconds in RETRY_SECONDS:
        exchange = await broker.declare_exchange(retry_exchange(seconds))
        waiting = await broker.declare_queue(
            RabbitQueue(
                f"interlock.retry.{seconds}s",
                queue_type=QueueType.QUORUM,
                durable=True,
                arguments={
                    "x-message-ttl": seconds * 1000,
                    "x-dead-letter-exchange": "",
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                },
            )
        )
        await waiting.bind(exchange)
    known = [queue(service, route.event) for route in ROUTES for service in route.consumers]
    own: list[RabbitQueue] = [subscriber.queue for subscriber in consumer.subscribers]  # type: ignore[attr-defined]
    for source in {each.name: each for each in (*known, *own) if each.durable}.values():
        letters = await broker.declare_queue(
            RabbitQueue(f"{source.name}.dead", queue_type=QueueType.QUORUM, durable=True)
        )
        await letters.bind(dead, routing_key=source.name)
        bound = await broker.declare_queue(source)
        await bound.bind(events, routing_key=source.routing_key)
