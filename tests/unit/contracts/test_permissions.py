"""Broker permissions derived from the catalog."""

import re

from interlock_contracts.catalog import ROUTES
from interlock_contracts.permissions import EVENTS, OBSERVED, TAIL, TO_OWN_QUEUES, User, commands, user_of, users


def topics(user: User, exchange: str = EVENTS) -> tuple[str, str]:
    return next((each.write, each.read) for each in user.topics if each.exchange == exchange)


def test_a_user_may_publish_what_the_catalog_permits_and_nothing_more() -> None:
    """For every user and every event type; people may publish what is external."""
    for user in users():
        write, _ = topics(user)
        for route in ROUTES:
            said_by = {user_of(each) for each in route.producers} | ({user_of("operator")} if route.external else set())
            assert bool(re.search(write, route.event.type)) == (user.name in said_by), (user.name, route.event.type)


def test_a_user_reads_its_own_queues_only() -> None:
    """Dead letters are the registry's to give back, and people read through queues of their own."""
    queues = [f"{service}.{route.event.type}" for route in ROUTES for service in route.consumers]
    for user in users():
        service = user.name.removeprefix("interlock_")
        for queue in queues:
            assert bool(re.search(user.read, queue)) == queue.startswith(f"{service}."), (user.name, queue)
            assert bool(re.search(user.read, f"{queue}.dead")) == (service == "registry")
            assert not re.search(user.configure, queue)


def test_queues_of_the_last_release_are_read_by_both_releases_and_by_no_others() -> None:
    """Each may give itself a copy of what it reads there, for another attempt or as a dead letter."""
    former = {
        f"{old}.{route.event.type}": {old, *route.consumers} for route in ROUTES for old in route.former_consumers
    }
    for user in users():
        service = user.name.removeprefix("interlock_")
        for queue, services in former.items():
            assert bool(re.search(user.read, queue)) == (service in services), (user.name, queue)
            writes = {bool(re.search(topics(user, each)[0], queue)) for each in TO_OWN_QUEUES if service in services}
            assert writes <= {True}, (user.name, queue)
            for exchange in {each.exchange for each in user.topics} - {EVENTS}:
                assert not re.search(topics(user, exchange)[0], f"x{queue}")
                assert not re.search(topics(user, exchange)[0], "prediction.model.promoted") or service == "prediction"


def test_copies_go_to_queues_of_ones_own_by_one_pattern() -> None:
    """Only who has taken over queues of another service may write to those, each by its whole name."""
    takers = {name for route in ROUTES if route.former_consumers for name in route.consumers}
    for user in users():
        service = user.name.removeprefix("interlock_")
        if service not in takers:
            written = {topics(user, each.exchange)[0] for each in user.topics if each.exchange in TO_OWN_QUEUES}
            assert written <= {rf"^{service}\."}, user.name


def test_every_topic_exchange_that_a_user_writes_to_has_a_permission() -> None:
    """Where there is none, RabbitMQ allows every routing key."""
    for user in users():
        written = {name for name in (EVENTS, *TO_OWN_QUEUES) if re.search(user.write, name)}
        assert written == {each.exchange for each in user.topics}


def test_the_commands_name_every_user() -> None:
    """Who brings a broker along gets all of it as commands."""
    lines = list(commands())
    assert lines[0] == "rabbitmqctl add_vhost interlock"
    for user in users():
        assert sum(f" {user.name} " in line for line in lines) == 2 + len(user.topics)


def test_the_observer_consumes_every_event_and_publishes_none() -> None:
    """Its own queue, and ephemeral events while they are watched; no other user reads them."""
    observer = next(user for user in users() if user.name == user_of("console"))
    write, read = topics(observer)
    others = [user for user in users() if user.name not in (observer.name, user_of("operator"))]

    assert re.search(observer.read, OBSERVED)
    assert re.search(observer.configure, f"{TAIL}.0a1b")
    assert not [route.event.type for route in ROUTES if re.search(write, route.event.type)]
    assert {bool(re.search(read, route.event.type)) == route.ephemeral for route in ROUTES} == {True}
    assert not [user.name for user in others if re.search(user.read, OBSERVED)]
