"""Whoever dies, and whenever: one run, one version, and serving goes on."""

import asyncio
import os
import signal
import sys

import pytest
from interlock_contracts.deployment import NAMES
from interlock_messaging.crash_points import STATUS, VARIABLE

from tests.support.stack_parts import Parts
from tests.support.stack_user import ROW, User, csv
from tests.support.waiting import until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1200),
    # The other end of many a connection is killed here; what is left of it is closed by the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

RECOVERY_SECONDS = 300
"""How long a restart, or a training up to the crash point, may take at a load of ten; usually they take a few."""


async def test_killing_the_dispatcher_during_training_ends_in_one_version(user: User, parts: Parts) -> None:
    """It finds the job again by its submission id; nothing is trained twice."""
    name = await user.apply(candidates=["random_forest"], trials=4)
    await user.ingest(name, csv(2000, seed=1))
    run = await user.retrain(name)
    await user.in_state(run, "running")
    before = parts.pid("train_dispatch")
    os.kill(before, signal.SIGKILL)
    await until(
        lambda: parts.healthy("train_dispatch") and parts.pid("train_dispatch") != before, seconds=RECOVERY_SECONDS
    )

    ended = await user.ended(run)
    assert (ended["state"], ended["attempt"]) == ("succeeded", 1)
    assert len(await user.versions(name)) == 1


@pytest.mark.parametrize(
    ("service", "point"),
    [
        ("train_dispatch", "train_dispatch.submit.after"),
        ("registry", "delivery.after_commit"),
        ("evaluation_gate", "evaluation_gate.report_stored"),
    ],
)
async def test_dying_between_an_effect_and_its_word_loses_nothing_and_repeats_nothing(
    user: User, parts: Parts, service: str, point: str
) -> None:
    """Some of the crash points with Ray itself: it has the job, and no row says so; a commit, and nobody has heard."""
    name = await user.apply()
    await user.ingest(name, csv(200, seed=1))
    parts.stop(service)
    environment = {**os.environ, **parts.environment(service), VARIABLE: point}
    dying = await asyncio.create_subprocess_exec(sys.executable, "-m", f"interlock_{service}", env=environment)
    try:
        await until(lambda: parts.answers(service), seconds=RECOVERY_SECONDS)
        run = await user.retrain(name)
        assert await asyncio.wait_for(dying.wait(), RECOVERY_SECONDS) == STATUS
    finally:
        if dying.returncode is None:
            dying.kill()
            await dying.wait()
        parts.start(service)
        # Also after a failure: the next test needs the whole stack.
        await until(lambda: parts.healthy(service), seconds=RECOVERY_SECONDS)

    ended = await user.ended(run)
    assert (ended["state"], ended["attempt"]) == ("succeeded", 1)
    assert [each["version"] for each in await user.versions(name)] == [1]
    assert (await user.serves(name, 1))["version"] == 1


async def test_a_killed_gateway_comes_back_with_what_was_promoted(user: User, parts: Parts) -> None:
    """It missed the event for good; the reconcile with the registry makes up for it."""
    name = await user.apply()
    await user.ingest(name, csv(200, seed=1))
    await user.ended(await user.retrain(name))
    await user.serves(name, 1)
    before = parts.pid("gateway")
    os.kill(before, signal.SIGKILL)
    await until(lambda: parts.healthy("gateway") and parts.pid("gateway") != before, seconds=RECOVERY_SECONDS)

    assert (await user.serves(name, 1))["version"] == 1


async def test_predictions_go_on_while_everything_behind_the_gateway_is_down(user: User, parts: Parts) -> None:
    """Broker, database, object store and registry are not on the path of a prediction."""
    name = await user.apply()
    await user.ingest(name, csv(200, seed=1))
    await user.ended(await user.retrain(name))
    await user.serves(name, 1)
    down = ["registry", "rabbitmq", "postgres", "s3"]
    for part in down:
        parts.stop(part)
    try:
        answers = [await user.predict(name, ROW) for _ in range(100)]
        assert {answer.status_code for answer in answers} == {200}
    finally:
        for part in reversed(down):
            parts.start(part)
        await until(lambda: all(parts.healthy(part) for part in {*down, *NAMES}), seconds=RECOVERY_SECONDS)
        await until(lambda: _registry_answers(user), seconds=RECOVERY_SECONDS)


async def _registry_answers(user: User) -> bool:
    return (await user.http.get("/pipelines")).is_success
