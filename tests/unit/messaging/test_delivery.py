"""What is an outage, and what is known of a message before any handler sees it."""

import asyncio
import errno
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from faststream.rabbit import RabbitBroker
from interlock_artifacts.store import StoreUnavailableError
from interlock_contracts.permissions import RETRY_SECONDS
from interlock_contracts.training import RetrainRequested
from interlock_messaging import topology
from interlock_messaging.delivery import Delivery, attempts
from interlock_messaging.transient import is_dependency_unavailable
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class RefusalError(Exception):
    """A driver's error with a SQLSTATE."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (OperationalError("select 1", {}, RefusalError("08006")), True),
        (DBAPIError("select 1", {}, RefusalError("57P03")), True),
        (DBAPIError("select 1", {}, RefusalError("53300")), True),
        (IntegrityError("insert", {}, RefusalError("23505")), False),
        (DBAPIError("select 1", {}, RefusalError("22P02")), False),
        (ValueError("wrong"), False),
        (FileNotFoundError(), False),
        (PoolTimeoutError("QueuePool limit of size 8 overflow 10 reached"), True),
        (DBAPIError("select 1", {}, RefusalError("57014")), True),
        (DBAPIError("select 1", {}, RefusalError("28P01")), True),
        (DBAPIError("select 1", {}, RefusalError("3D000")), True),
        (DBAPIError("insert", {}, RefusalError("25006")), True),
        (DBAPIError("insert", {}, RefusalError("42501")), False),
        (RefusalError("57P03"), True),
        (RefusalError("22P02"), False),
        (StoreUnavailableError("the object store: SlowDown"), True),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed"), True),
        (OSError(errno.EHOSTUNREACH, "No route to host"), True),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError("Couldn't deserialize thrift"), False),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), True),
    ],
)
def test_only_a_dependency_that_is_down_is_waited_for(error: Exception, outage: bool) -> None:
    """A wrong row stays wrong however long one waits; a server that starts up does not."""
    assert is_dependency_unavailable(error) is outage


@pytest.mark.parametrize(("headers", "count"), [({}, 0), ({"x-attempt": 3}, 3), ({"x-attempt": "three"}, 0)])
def test_attempts_travel_in_the_message(headers: dict[str, Any], count: int) -> None:
    """A broken header counts as none, and is no crash."""
    assert attempts(headers) == count


def test_a_queue_keeps_what_it_cannot_deliver() -> None:
    """Quorum, bounded against crash loops, with a dead-letter queue of its own and no silent overflow."""
    queue = topology.queue("registry", RetrainRequested)

    assert (queue.name, queue.routing_key, queue.durable) == (
        "registry.retrain.requested",
        "retrain.requested",
        True,
    )
    arguments: dict[str, Any] = dict(queue.arguments or {})
    assert arguments["x-queue-type"] == "quorum"
    assert arguments["x-dead-letter-routing-key"] == queue.name
    assert arguments["x-overflow"] == "reject-publish"
    assert arguments["x-delivery-limit"] > len(RETRY_SECONDS)


async def test_what_came_through_a_workers_own_queue_does_not_wait_outside() -> None:
    """The worker may be gone when it comes back, and a queue of retries would keep it for ever."""
    unconnected = RabbitBroker("amqp://nobody@localhost:1/")
    message = SimpleNamespace(
        headers={}, body=b"{}", message_id="1", content_type="application/json", content_encoding=None, user_id=None
    )
    shared, own = topology.queue("gateway", RetrainRequested), topology.worker_queue("gateway", RetrainRequested, "a")
    delivery = Delivery(unconnected, None, service="gateway")

    async with asyncio.timeout(5):
        await delivery.schedule_retry(message, own, ValueError("wrong"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await delivery.schedule_retry(message, shared, ValueError("wrong"))


def test_every_worker_has_a_queue_of_its_own() -> None:
    """A shared one would reload only one worker; an exclusive one goes when its worker goes."""
    one, two = (topology.worker_queue("gateway", RetrainRequested, worker) for worker in ("a", "b"))

    assert one.name != two.name
    assert one.exclusive
    assert one.auto_delete
