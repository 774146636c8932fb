"""Whoever dies, wherever a step ends: nothing is lost, nothing happens twice, and the model serves.

Deterministic where random kills are not: each process is told where to die, does, and is started again without.
"""

import asyncio
import re
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from interlock_messaging.crash_points import CRASH_POINTS, STATUS

from tests.chaos.matrix import MATRIX, TRAINER, Death
from tests.chaos.processes import System
from tests.chaos.user import PATIENCE, eventually
from tests.chaos.world import World
from tests.conftest import CHECKOUT

pytestmark = [
    # Whoever holds the other end of a connection is killed here.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.timeout(200),
]

CALL = re.compile(r'crash_point\("([\w.]+)"\)')


def test_every_crash_point_is_in_the_code_once_and_in_the_matrix() -> None:
    """A name that no code reaches is a lie, and a point that nobody dies at proves nothing."""
    code = [path for folder in ("libs", "services") for path in (CHECKOUT / folder).rglob("*.py")]
    calls = Counter(name for path in code for name in CALL.findall(Path(path).read_text()))

    assert calls == Counter(CRASH_POINTS)
    assert {death.point for death in MATRIX} == set(CRASH_POINTS)


@pytest.mark.integration
@pytest.mark.parametrize("death", MATRIX, ids=lambda death: f"{death.point}-{death.service}")
async def test_dying_there_loses_nothing_and_repeats_nothing(world: World, death: Death) -> None:
    """It dies there, comes back, and everything ends as if nothing had happened."""
    if death.service == TRAINER:
        await _job_dies(world, death)
    else:
        await _service_dies(world, death)
    faults: list[str] = ["nobody has looked"]

    async def right() -> bool:
        faults[:] = await world.faults()
        return not faults

    try:
        await eventually(right)
    except TimeoutError:
        await world.letters()  # the next death has its own
        pytest.fail("; ".join(faults))


@pytest.mark.integration
async def test_a_webhook_posted_before_a_crash_is_redelivered_under_the_same_id(world: World) -> None:
    """Whoever receives it twice can see that it is the same."""
    assert world.to_be_told, "this looks at what dying at prediction.webhook.posted has left; run that first"
    for prediction in world.to_be_told:
        delivered = partial(
            world.count, "prediction.webhook where prediction_id = :id and state = 'delivered'", id=prediction
        )
        await eventually(delivered)
        ids = [each["webhook-id"] for each in world.hooked if prediction.replace("-", "") in each["webhook-id"]]
        assert len(ids) == 2
        assert len(set(ids)) == 1


async def _service_dies(world: World, death: Death) -> None:
    system = world.system
    system.stop(death.service, 9)
    process = system.start(death.service, crash_at=death.point)
    await system.ready(death.service)
    user = asyncio.ensure_future(death.cause(world))
    try:
        await eventually(lambda: process.status is not None or (user.done() and user.exception()))
        assert process.status == STATUS, f"{process.status}\n{_told(user)}\n{system.log(death.service)}"
    finally:
        _replace(system, death.service)
    await asyncio.wait_for(user, 2 * PATIENCE)


async def _job_dies(world: World, death: Death) -> None:
    world.system.jobs.crash_at.append(death.point)
    await death.cause(world)
    assert world.system.jobs.last().status == STATUS


def _replace(system: System, service: str) -> None:
    system.stop(service, 9)
    system.start(service)


def _told(task: "asyncio.Future[None]") -> str:
    return repr(task.exception()) if task.done() else "the user still waits"
