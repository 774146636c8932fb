"""Runs as the console derives them from events, on a real broker and database."""

from typing import Any
from uuid import uuid4

import pytest
from interlock_contracts.event import event_id, run_id
from interlock_contracts.training import RetrainRequested, TrainingFailed, TrainingQueued, TrainingStarted

from tests.support.console_service import DIGEST, TRACEPARENT, Console, swapped, trained
from tests.support.waiting import until

pytestmark = pytest.mark.integration

LISTS = ("last_runs", "in_progress", "waiting", "failures")


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


async def test_runs_are_found_by_tag_and_by_metric(console: Console, model: str) -> None:
    """Both at once as well; a run without either is not, and the list and the run's page show both."""
    tags = {"team": "pricing", "audited": ""}
    run = await trained(console, model, version=2, tags=tags, metrics={"r2": 0.9, "rmse": 4.0})
    bare = await trained(console, model, version=1)
    await until(lambda: swapped(console, bare))
    await console.run_in(run, state="succeeded", tags=tags)

    async def found(**params: str) -> list[str]:
        listed = await console.ask("/view/runs", model=model, **params)
        assert listed["total"] == len(listed["runs"])
        return [each["run_id"] for each in listed["runs"]]

    for wanted in ({"tag": "team:pricing,audited"}, {"tag": "team"}, {"metric": "r2>=0.9,rmse<=4"}):
        assert await found(**wanted) == [str(run)]
    assert await found(tag="team:pricing", metric="r2>=0.5") == [str(run)]
    for absent in ({"tag": "team:sales"}, {"tag": "squad"}, {"metric": "r2>=0.91"}, {"metric": "mae>=0"}):
        assert await found(**absent) == []
    [listed, other] = (await console.ask("/view/runs", model=model, sort="-version"))["runs"]
    assert (listed["tags"], listed["metrics"], other["tags"]) == (tags, {"r2": 0.9, "rmse": 4.0}, {})


async def test_a_reason_with_a_nul_breaks_no_filter_by_tag(console: Console, model: str) -> None:
    """Postgres reads no JSON with one; a request from outside may hold it."""
    nul = await console.publish(RetrainRequested(model=model, reason="a\0b", tags={"team": "pricing"}))
    plain = await console.publish(RetrainRequested(model=model, tags={"team": "pricing"}))
    for each in (nul, plain):
        await console.run_in(run_id(each.id, model), state="queued", tags={"team": "pricing"})

    listed = await console.ask("/view/runs", model=model, tag="team:pricing")

    assert [each["run_id"] for each in listed["runs"]] == [str(run_id(plain.id, model))]


async def test_an_unknown_metric_is_refused_with_the_one_that_was_perhaps_meant(console: Console) -> None:
    """As a misspelt one finds nothing, which would be read as an answer."""
    answer = await console.http.get("/view/runs", params={"metric": "acuracy>=0.9"})

    assert (answer.status_code, "did you mean 'accuracy'?" in answer.json()["detail"]) == (422, True)


async def test_a_request_that_was_joined_to_another_run_does_not_wait_for_ever(console: Console, model: str) -> None:
    """When the one queued run starts, all that waited with it are part of it."""
    first, second = [await console.publish(RetrainRequested(model=model)) for _ in range(2)]
    runs = [run_id(each.id, model) for each in (first, second)]
    await console.run_in(runs[1], state="queued")

    await console.publish(TrainingStarted(run_id=runs[0], model=model, attempt=1, pipeline_digest=DIGEST, datasets=[]))

    await console.run_in(runs[1], state="coalesced", into=str(runs[0]))
    assert (await console.run(runs[0]))["state"] == "running"


async def test_an_unknown_run_may_be_one_that_is_still_on_its_way(console: Console) -> None:
    """So the answer says when to come again."""
    answer = await console.http.get(f"/view/runs/{uuid4()}")

    assert (answer.status_code, answer.headers["retry-after"]) == (404, "1")


async def test_a_run_tells_who_asked_and_why_whatever_comes_first(console: Console, model: str) -> None:
    """What the dispatcher says may come before the request does; and the start leaves both as they are."""
    cause = str(uuid4())
    request = RetrainRequested(model=model, reason="a look")
    run = run_id(str(event_id(cause, request.type, request.subject)), model)
    await console.publish(TrainingQueued(run_id=run, model=model, by="ada", reason="a look"))
    await console.run_in(run, requested_by="ada")
    await console.publish(request, cause=cause)
    await console.publish(TrainingStarted(run_id=run, model=model, attempt=1, pipeline_digest=DIGEST, datasets=[]))

    await console.run_in(run, state="running", requested_by="ada", request_reason="a look", cause="retrain.requested")


async def test_runs_are_sorted_by_a_metric(console: Console, model: str) -> None:
    """The best first or last, those without it at the end either way, and page by page."""
    runs = [await trained(console, model, version=place, metrics={"r2": 0.5 + place / 10}) for place in (1, 3, 2)]
    bare = await trained(console, model, version=4)
    await until(lambda: swapped(console, bare))
    best_first = [str(runs[place]) for place in (1, 2, 0)]

    async def listed(**params: Any) -> list[str]:
        return [each["run_id"] for each in (await console.ask("/view/runs", model=model, **params))["runs"]]

    assert await listed(sort="-metrics.r2") == [*best_first, str(bare)]
    assert await listed(sort="metrics.r2") == [*reversed(best_first), str(bare)]
    assert await listed(sort="version") == [str(runs[0]), str(runs[2]), str(runs[1]), str(bare)]
    page = await console.ask("/view/runs", model=model, sort="-metrics.r2", limit=3)
    assert (page["offset"], page.get("before")) == (3, None)
    assert await listed(sort="-metrics.r2", limit=3, offset=3) == [str(bare)]
    answer = await console.http.get("/view/runs", params={"sort": "colour"})
    assert (answer.status_code, "sort: 'colour' is none of requested" in answer.json()["detail"]) == (400, True)


async def test_the_overview_tells_what_happened(console: Console, model: str) -> None:
    """The newest run of each model, what is in progress, what waits until something newer is promoted, what failed."""
    waiting = await trained(console, model, version=1, promoted=False)
    cause = await console.publish(RetrainRequested(model=model))
    failed = run_id(cause.id, model)
    about: dict[str, Any] = {"run_id": failed, "model": model, "reason": "no memory"}
    await console.publish(TrainingFailed(**about, outcome="failed"))
    cancelled = TrainingFailed(**about | {"run_id": uuid4()}, outcome="cancelled")
    await console.publish(cancelled)
    going = run_id((await console.publish(RetrainRequested(model=model))).id, model)
    await console.run_in(going, state="queued")

    async def of_model() -> dict[str, list[str]]:
        seen = await console.ask("/view/overview")
        return {name: [each["run_id"] for each in seen[name] if each["model"] == model] for name in LISTS}

    lasts = {"last_runs": [str(going)], "in_progress": [str(going)], "failures": [str(failed)]}
    assert await of_model() == lasts | {"waiting": [str(waiting)]}
    later = await trained(console, model, version=2)
    await until(lambda: swapped(console, later))
    assert (await of_model())["waiting"] == []
