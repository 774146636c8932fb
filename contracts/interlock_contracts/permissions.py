"""Permissions on the broker, by user: derived from the catalog, so that they cannot drift from what is published.

RabbitMQ compares topic permissions with a message's routing key alone, not with further keys in its ``CC`` header nor
with the dead-letter arguments of a queue that a user declares. So they are the first line; the second is that every
consumer compares the user that the broker vouches for with :func:`may_publish`.
"""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from interlock_contracts.catalog import BY_TYPE, OBSERVER, OUTSIDE, ROUTES
from interlock_contracts.deployment import RABBITMQ, services_using

VHOST = "interlock"
EVENTS = "interlock.events"
DEAD = "interlock.dead"
REPLAY = "interlock.replay"
RETRY = "interlock.retry.{seconds}s"
PING = "interlock.ping"
RETRY_SECONDS = (1, 5, 30, 120, 600)
"""Waits before the second to sixth attempt; one queue each, because a TTL expires only at a queue's head."""

TO_OWN_QUEUES = (DEAD, PING, *(RETRY.format(seconds=seconds) for seconds in RETRY_SECONDS))
"""Topic exchanges for pings, and for what a service's own queues gave it; the routing key is the queue's name."""

REPLAYER = "registry"
"""The service that replays dead letters to the queues that they came from."""

OBSERVED = f"{OBSERVER}.events"
"""The observer's one queue, for every event that is not ephemeral: all types in the order of publishing."""

TAIL = f"{OBSERVER}.tail"
"""Begins the names of the queues that the observer's processes make while ephemeral events are watched."""

NOTHING = "^$"
TEMPORARY = r"amq\.gen-.+"
"""Queues that the broker named."""


@dataclass(frozen=True)
class Topics:
    """What routing keys a user may publish to a topic exchange, and bind to it; both are regular expressions."""

    exchange: str
    write: str
    read: str = NOTHING


@dataclass(frozen=True)
class User:
    """One user of the broker and its permissions in the vhost, as RabbitMQ's regular expressions over names."""

    name: str
    configure: str
    write: str
    read: str
    topics: tuple[Topics, ...]


def user_of(service: str) -> str:
    """Return the broker user, and the database role, of a service, or of the ``operator``: people outside."""
    return f"interlock_{service}"


def may_publish(user: str | None, event_type: str) -> bool:
    """Return whether the catalog lets ``user`` publish an event of this type; what is external, anybody may."""
    producers = BY_TYPE[event_type].producers
    return OUTSIDE in producers or user in {user_of(producer) for producer in producers}


def users() -> tuple[User, ...]:
    """Return every user but the admin, who makes the topology: one a service, and the operator."""
    return (*(_service(name) for name in sorted(services_using(RABBITMQ))), _operator())


def work_queues(service: str) -> tuple[str, ...]:
    """Return the names of the queues that all replicas of a service share: its work waits there.

    Those of former consumers are among them, also for the former consumer: replicas of the last release may run on.
    """
    if service == OBSERVER:
        return (OBSERVED,)
    return (
        *(f"{service}.{each.event.type}" for each in ROUTES if service in (*each.consumers, *each.former_consumers)),
        *(f"{old}.{each.event.type}" for each in ROUTES if service in each.consumers for old in each.former_consumers),
    )


def commands() -> Iterator[str]:
    """Yield the rabbitmqctl commands that make the vhost and the users, for a broker of your own."""
    yield f"rabbitmqctl add_vhost {VHOST}"
    for user in users():
        yield f"rabbitmqctl add_user {user.name} PASSWORD"
        yield _command("set_permissions", user.name, user.configure, user.write, user.read)
        for topics in user.topics:
            yield _command("set_topic_permissions", user.name, topics.exchange, topics.write, topics.read)


def _command(verb: str, *words: str) -> str:
    return f"rabbitmqctl {verb} --vhost {VHOST} {shlex.join(words)}"


def _service(name: str) -> User:
    published = [route.event.type for route in ROUTES if name in route.producers]
    shared = work_queues(name)
    consumed = [route.event.type for route in ROUTES if name in route.per_worker]
    # An event may be for one of the replicas and for each: the dead letters of the shared queue are none of its own.
    own = [rf"{re.escape(f'{name}.{each}')}\.(?!dead$).+" for each in consumed]
    if name == OBSERVER:
        consumed = [route.event.type for route in ROUTES if route.ephemeral]
        own = [rf"{re.escape(TAIL)}\..+"]
    taken_over = [f"^{re.escape(queue)}$" for queue in shared if not queue.startswith(f"{name}.")]
    replays = name == REPLAYER
    return User(
        name=user_of(name),
        configure=_any(own),
        # Binding a queue takes the right to write to it, and to read from the exchange.
        write=_any([*map(re.escape, (EVENTS, *TO_OWN_QUEUES, *([REPLAY] if replays else []))), *own]),
        read=_any([*map(re.escape, shared), *own, *([re.escape(EVENTS)] if own else []), *([r".+\.dead"] * replays)]),
        topics=(
            Topics(EVENTS, write=_any(map(re.escape, published)), read=_any(map(re.escape, consumed))),
            *(Topics(exchange, write="|".join((rf"^{name}\.", *taken_over))) for exchange in TO_OWN_QUEUES),
        ),
    )


def _operator() -> User:
    """People: they publish external events, and read all events through temporary queues."""
    external = [re.escape(route.event.type) for route in ROUTES if route.external]
    looking = f"^({re.escape(EVENTS)}|{TEMPORARY})$"
    return User(
        name=user_of("operator"),
        configure=f"^{TEMPORARY}$",
        write=looking,
        read=looking,
        topics=(Topics(EVENTS, write=_any(external), read=".*"),),
    )


def _any(patterns: Iterable[str]) -> str:
    alternatives = "|".join(patterns)
    return f"^({alternatives})$" if alternatives else NOTHING
