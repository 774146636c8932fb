"""Runs as the console derives them from events, on a real broker and database."""

from uuid import uuid4

import pytest
from interlock_contracts.event import run_id
from interlock_contracts.training import RetrainRequested, TrainingStarted

from tests.support.console_service import DIGEST, TRACEPARENT, Console, swapped, trained
from tests.support.waiting import until

pytestmark = pytest.mark.integration


async def test_a_run_is_followed_from_its_request_to_the_swap(console: Console, model: str) -> None:
    """Each lane has its step, the list has the run, and nothing is open at the end."""
    run = await trained(console, model)
    await until(lambda: swapped(console, run))

    seen = await console.run_in(run, state="succeeded", outcome="promoted", version=1)
    assert (seen["cause"], seen["reason"], seen["trace_id"]) == ("retrain.requested", None, TRACEPARENT.split("-")[1])
    assert [lane["lane"] for lane in seen["lanes"] if lane["steps"]] == [
        "queue wait", "training", "gate", "promotion", "swap",
    ]  # fmt: skip
    assert seen["open"] == []
    [listed] = (await console.ask("/view/runs", model=model))["runs"]
    assert (listed["run_id"], listed["state"]) == (str(run), "succeeded")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"text": "{part}"}, 1),
        ({"text": "{run}"}, 1),
        ({"text": "%"}, 0),
        ({"state": "queued,succeeded"}, 1),
        ({"state": "failed"}, 0),
        ({"cause": "retrain.requested"}, 1),
        ({"cause": "dataset.ingested"}, 0),
        ({"since": "2020-01-01T00:00:00Z"}, 1),
        ({"since": "2999-01-01T00:00:00Z"}, 0),
    ],
)
async def test_runs_are_filtered(console: Console, model: str, wanted: dict[str, str], found: int) -> None:
    """By a part of the name in any case, the id's beginning, states, trigger and time; a wildcard is a character."""
    run = await trained(console, model)
    await until(lambda: swapped(console, run))

    asked = {name: value.format(part=model[1:].upper(), run=str(run)[:8]) for name, value in wanted.items()}
    listed = await console.ask("/view/runs", model=model, **asked)

    assert (len(listed["runs"]), listed["total"]) == (found, found)


async def test_a_request_that_was_joined_to_another_run_does_not_wait_for_ever(console: Console, model: str) -> None:
    """When the one queued run starts, all that waited with it are part of it."""
    first, second = [await console.say(RetrainRequested(model=model)) for _ in range(2)]
    runs = [run_id(each.id, model) for each in (first, second)]
    await console.run_in(runs[1], state="queued")

    await console.say(TrainingStarted(run_id=runs[0], model=model, attempt=1, pipeline_digest=DIGEST, datasets=[]))

    await console.run_in(runs[1], state="coalesced", into=str(runs[0]))
    assert (await console.run(runs[0]))["state"] == "running"


async def test_an_unknown_run_may_be_one_that_is_still_on_its_way(console: Console) -> None:
    """So the answer says when to come again."""
    answer = await console.http.get(f"/view/runs/{uuid4()}")

    assert (answer.status_code, answer.headers["retry-after"]) == (404, "1")
