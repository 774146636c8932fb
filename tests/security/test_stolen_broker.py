"""With one service's broker user you say what that service says, to those who listen to it, and nothing else."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]
import pytest
from aiormq.exceptions import ChannelAccessRefused, ChannelPreconditionFailed
from interlock_contracts.catalog import OBSERVER, ROUTES
from interlock_contracts.deployment import NAMES
from interlock_contracts.permissions import DEAD, EVENTS, PING, REPLAY, RETRY, user_of, work_queues

from tests.security.stolen import broker, environment, publish
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

EXAMPLES = Path(__file__).parents[2] / "contracts" / "examples"
QUEUES = [(service, queue) for service in NAMES if service != OBSERVER for queue in work_queues(service)]
RETRIES = RETRY.format(seconds=1)


@pytest.fixture(params=NAMES)
def service(request: pytest.FixtureRequest) -> str:
    """Return each service in turn."""
    name: str = request.param
    return name


@pytest.fixture
def url(stack: dict[str, str], service: str) -> str:
    """Return its broker address, with its password."""
    return environment(stack, service)["INTERLOCK_AMQP_URL"]


async def refused(url: str, routing_key: str, exchange: str | None = EVENTS, **properties: Any) -> None:
    with pytest.raises((ChannelAccessRefused, ChannelPreconditionFailed)):
        await publish(url, routing_key, exchange=exchange, **properties)


async def test_only_their_owners_say_what_leads_to_a_promotion(service: str, url: str) -> None:
    """`model.promoted` is the registry's to say, the verdict the gate's, and so on along the way."""
    for event_type, owner in {
        "model.promoted": "registry",
        "promotion.approved": "registry",
        "model.registered": "registry",
        "evaluation.passed": "evaluation_gate",
        "training.completed": "train_dispatch",
    }.items():
        if service != owner:
            await refused(url, event_type)


async def test_nobody_writes_into_anothers_queue(service: str, url: str) -> None:
    """Neither by its name, nor through retries or dead letters; only the registry replays."""
    strange = next(name for owner, name in QUEUES if owner != service)
    for exchange in (None, RETRIES, RETRY.format(seconds=600), DEAD, PING):
        await refused(url, strange, exchange)
    if service != "registry":
        await refused(url, strange, REPLAY)
    await refused(url, "retrain.requested", "amq.topic")


async def test_nobody_reads_anothers_queue_or_listens_in(service: str, url: str) -> None:
    """Queues of others are closed, and nobody makes one that hears what the catalog does not say it hears."""
    strange = next(name for owner, name in QUEUES if owner != service)
    for name in (strange, *([] if service == "registry" else [f"{strange}.dead"])):
        with pytest.raises(ChannelAccessRefused):
            async with broker(url) as channel:
                await (await channel.get_queue(name, ensure=False)).get(fail=False)
    for name in ("", f"{service}.spy", f"{service}.model.promoted.spy"):
        with pytest.raises(ChannelAccessRefused):
            async with broker(url) as channel:
                own = await channel.declare_queue(name, exclusive=True)
                await own.bind(EVENTS, "#")


async def test_nobody_takes_the_topology_apart(service: str, url: str) -> None:
    """Deleting or binding a durable queue, even its own, takes an administrator."""
    name = next((name for owner, name in QUEUES if owner == service), "registry.evaluation.passed")
    for exchange, queue in ((EVENTS, name), (DEAD, f"{name}.dead")):
        with pytest.raises(ChannelAccessRefused):
            async with broker(url) as channel:
                await channel.queue_delete(queue)
        with pytest.raises(ChannelAccessRefused):
            async with broker(url) as channel:
                await channel.exchange_delete(exchange)
        with pytest.raises(ChannelAccessRefused):
            async with broker(url) as channel:
                await (await channel.get_queue(queue, ensure=False)).bind(EVENTS, "model.promoted")


async def test_nobody_speaks_under_anothers_name(service: str, url: str) -> None:
    """Consumers believe the user-id of a message, because the broker refuses one that is not the connection's."""
    other = user_of("registry" if service != "registry" else "evaluation_gate")
    said = next((route.event.type for route in ROUTES if service in route.producers), "retrain.requested")
    await refused(url, said, user_id=other)


@pytest.mark.parametrize("way", ["CC", "CC through a retry", "the dead letters of a queue"])
async def test_what_the_broker_lets_through_is_not_believed(stack: dict[str, str], way: str) -> None:
    """RabbitMQ compares topic permissions with the routing key alone; the consumer checks the publisher.

    A forged verdict reaches the registry's queue through a header, or through arguments of a worker's own queue, and
    ends as a dead letter that names its publisher.
    """
    url, me = environment(stack, "gateway")["INTERLOCK_AMQP_URL"], user_of("gateway")
    headers, queue = headers_of("evaluation.passed"), "registry.evaluation.passed"
    if way == "CC":
        await publish(url, "model.serving", example("evaluation.passed"), headers={**headers, "CC": [queue[9:]]})
        me = "an unknown publisher"
    elif way == "CC through a retry":
        forged = example("evaluation.passed")
        await publish(url, "gateway.any", forged, exchange=RETRIES, headers={**headers, "CC": [queue]}, user_id=me)
    else:
        await let_die(url, "evaluation.passed", headers, me)

    letter = await dead_letter(stack, queue, headers["cloudEvents_id"])
    assert f"{me} is not permitted to publish evaluation.passed" in letter["reason"]
    assert letter["speaker"] == me.replace("an unknown publisher", "")


async def test_what_is_handled_in_batches_asks_as_well(stack: dict[str, str]) -> None:
    """Prediction takes requests from the gateway only, although it reads them past the framework."""
    url, requested = environment(stack, "ingest")["INTERLOCK_AMQP_URL"], "prediction.requested"
    headers, queue = {**headers_of(requested), "CC": [requested]}, f"prediction.{requested}"
    await publish(url, "dataset.rejected", example(requested), headers=headers, user_id=user_of("ingest"))

    letter = await dead_letter(stack, queue, headers["cloudEvents_id"])
    assert "publisher interlock_ingest is not permitted" in letter["reason"]


def headers_of(event_type: str) -> dict[str, Any]:
    attributes = {"specversion": "1.0", "id": str(uuid4()), "source": "/interlock/thief", "type": event_type}
    return {f"cloudEvents_{name}": value for name, value in attributes.items()}


def example(event_type: str) -> bytes:
    return json.dumps(json.loads((EXAMPLES / event_type / "1.json").read_text())["body"]).encode()


async def let_die(url: str, event_type: str, headers: dict[str, Any], me: str) -> None:
    """Reject a message in a worker's queue whose dead letters go to everyone, under a routing key of ours."""
    arguments: dict[str, Any] = {"x-dead-letter-exchange": EVENTS, "x-dead-letter-routing-key": event_type}
    async with broker(url) as channel:
        own = await channel.declare_queue(f"gateway.model.promoted.{uuid4().hex}", exclusive=True, arguments=arguments)
        await publish(url, own.name, example(event_type), exchange=RETRIES, headers=headers, user_id=me)
        async with asyncio.timeout(30), own.iterator() as messages:
            await (await anext(messages)).reject(requeue=False)


async def dead_letter(stack: dict[str, str], queue: str, event_id: str) -> asyncpg.Record:
    """Return the dead letter of an event, which the registry has taken from its queue, as the administrator sees it."""
    connection = await asyncpg.connect(stack["INTERLOCK_ADMIN_POSTGRES_URL"])
    try:
        query = "SELECT reason, speaker FROM registry.dead_letter WHERE queue = $1 AND event_id = $2"
        return await until(lambda: connection.fetchrow(query, queue, event_id))
    finally:
        await connection.close()
