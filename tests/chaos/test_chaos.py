"""Random kills, pauses and cut connections of real processes; and the proof that this harness can see a loss."""

import logging
from collections.abc import Iterator

import pytest

from tests.benchmarks.reliability.sections import missing
from tests.benchmarks.reliability.soak import soak
from tests.benchmarks.reliability.trends import BARS, ENOUGH
from tests.chaos.controls import without_inbox, without_outbox
from tests.chaos.run import chaos
from tests.chaos.serving import serve_through
from tests.chaos.stack import SERVICES, Stack, chaos_stack

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(400),
    # The other end of many a connection is killed here; what is left of it is closed by the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine:RuntimeWarning"),
]

SEED = 11
"""Always the same faults in the same order: `make chaos` takes other ones."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Return a stack that nobody else uses."""
    for name in ("aio_pika", "aiormq"):  # they tell every connection that we cut, at length
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with chaos_stack() as made:
        yield made


async def test_without_an_inbox_the_harness_sees_effects_twice(stack: Stack) -> None:
    """Each request arrives three times; a registry that forgets promotes three times."""
    outcome = await without_inbox(stack)

    assert outcome.total.duplicated, outcome.table()
    assert not outcome.total.lost, outcome.table()


async def test_without_an_outbox_the_harness_sees_a_loss(stack: Stack) -> None:
    """A promotion is committed, its process dies before the event is published."""
    outcome = await without_outbox(stack)

    assert outcome.total.lost, outcome.table()


async def test_predictions_go_on_whatever_is_down_behind_the_gateway(stack: Stack) -> None:
    """Broker, database, store and registry are stopped one by one and together, and twenty versions are promoted."""
    singly = ("postgres", "s3", "registry", "rabbitmq")
    served = await serve_through(stack, singly=singly, hold=1, promotions=20, pause=0.02)

    print(f"\n{served.table()}")
    assert served.good, served.table()
    assert served.promotions == 20
    assert served.requests > 500
    assert len(served.outages) == 5
    assert not missing("serving", served.as_json()), served.table()


async def test_a_soak_of_seconds_judges_what_every_service_uses(stack: Stack) -> None:
    """Steady traffic and samples of all measures; whether anything grows is for a soak of ten minutes to say."""
    seen = await soak(stack, seconds=5, every=0.25)

    assert not missing("soak", seen)
    assert seen["samples"] >= ENOUGH
    assert seen["failed"] == 0
    assert {each["measure"] for each in seen["trends"]} == set(BARS)
    assert set(SERVICES) <= {each["part"] for each in seen["trends"]}


async def test_whatever_dies_nothing_is_lost_and_nothing_happens_twice(stack: Stack) -> None:
    """Services, broker, database and object store are killed, paused and cut off while users work."""
    outcome = await chaos(stack, seed=SEED, seconds=45, events=400, gap=2.5, patience=90)

    print(f"\n{outcome.table()}")
    assert outcome.sound, outcome.table()
    assert len(outcome.faults) >= 8, outcome.table()
    assert outcome.total.acknowledged >= 50, outcome.table()
    assert not missing("chaos", outcome.as_json()), outcome.table()
