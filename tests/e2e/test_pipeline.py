"""The whole way, on the real stack: a file goes in, a proven model serves, and hot-reloads."""

import asyncio
import json
from collections import Counter
from uuid import uuid4

import aio_pika
import httpx
import pytest

from tests.support.stack_user import ROW, User, csv
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


async def publish_retrain(env: dict[str, str], model: str, event_id: str, times: int = 1) -> None:
    async with await aio_pika.connect(env["INTERLOCK_AMQP_URL"]) as connection:
        exchange = await (await connection.channel()).get_exchange("interlock.events")
        headers = {
            "cloudEvents_specversion": "1.0",
            "cloudEvents_id": event_id,
            "cloudEvents_source": "/tests",
            "cloudEvents_type": "retrain.requested",
        }
        body = json.dumps({"model": model}).encode()
        for _ in range(times):
            message = aio_pika.Message(body, headers=dict(headers), content_type="application/json")
            await exchange.publish(message, routing_key="retrain.requested")


async def test_a_file_goes_in_and_a_better_model_serves_without_a_failed_request(user: User) -> None:
    """Upload, retrain, gate, promotion, hot reload under load: every request is answered, versions only go up."""
    name = await user.apply()
    accepted = await user.ingest(name, csv(200, seed=1, slope=2.5))
    assert (accepted["state"], accepted["batch"]) == ("accepted", 1)
    first = await user.ended(await user.retrain(name))
    assert (first["state"], first["version"]) == ("succeeded", 1)
    await user.serves(name, 1)
    await _log_is_kept(user, first["run_id"])

    answers: list[tuple[int, int]] = []
    done = asyncio.Event()

    async def ask() -> None:
        while not done.is_set():
            answer = await user.predict(name, ROW)
            answers.append((answer.status_code, answer.json().get("version", 0)))

    clients = [asyncio.create_task(ask()) for _ in range(4)]
    await user.ingest(name, csv(4000, seed=2, noise=0.3))
    second = await user.ended(await user.retrain(name))
    assert (second["state"], second["version"]) == ("succeeded", 2), second["reason"]
    await user.serves(name, 2)
    done.set()
    await asyncio.gather(*clients)

    assert Counter(status for status, _ in answers).keys() == {200}
    assert {version for _, version in answers} == {1, 2}
    stages = {each["version"]: each["stage"] for each in await user.versions(name)}
    assert stages == {1: "retired", 2: "champion"}
    await _mlflow_has_it(user, name, [first["run_id"], second["run_id"]])

    last = (await user.predict(name, ROW)).json()
    truth = {"prediction": f"{last['id']}/0", "actual": last["predictions"][0]}
    await user.json("POST", f"/models/{name}/feedback", json={"feedback": [truth]})

    async def joined() -> dict[int, int]:
        quality = await user.json("GET", f"/models/{name}/quality")
        found = {each["version"]: each["joined"] for each in quality["versions"]}
        return found if found.get(2) else {}

    assert await until(joined) == {1: 0, 2: 1}, "both versions answered, and one truth is known"


async def _mlflow_has_it(user: User, name: str, runs: list[str]) -> None:
    """MLflow's API finds the runs by what has won, and the version that serves by its alias."""
    api, wanted = "/api/2.0/mlflow", {"filter": "params.candidate = 'linear'", "order_by": ["start_time ASC"]}
    found = await user.json("POST", f"{api}/runs/search", json={"experiment_ids": [name], **wanted})
    champion = await user.json("GET", f"{api}/registered-models/alias", params={"name": name, "alias": "champion"})

    assert [each["info"]["run_id"] for each in found["runs"]] == runs
    assert (champion["model_version"]["version"], champion["model_version"]["run_id"]) == ("2", runs[1])


async def _log_is_kept(user: User, run: str) -> None:
    """What the training printed is there to its last line, whatever becomes of Ray."""

    async def complete() -> httpx.Response | None:
        found = await user.http.get(f"/runs/{run}/logs")
        return found if found.headers.get("interlock-log-complete") == "true" else None

    log = await until(complete)
    assert log.headers["content-type"] == "text/plain; charset=utf-8"
    assert log.headers["interlock-attempt"] == "1"
    assert "training succeeded" in log.text
    assert f"run {run}, attempt 1: training" in log.text


async def test_a_repeated_event_trains_once(user: User) -> None:
    """The same event five times over is one run and one version."""
    name = await user.apply()
    await user.ingest(name, csv(200, seed=1))
    await until(lambda: _trainable(user, name))
    await publish_retrain(user.env, name, event_id=str(uuid4()), times=5)

    (run,) = await until(lambda: user.runs(name))
    assert (await user.ended(run["run_id"]))["state"] == "succeeded"
    assert len(await user.runs(name)) == 1
    assert len(await user.versions(name)) == 1


async def _trainable(user: User, name: str) -> bool:
    """The dispatcher has heard of the file; an event, unlike a request, does not wait for that."""
    answer = await user.http.get(f"{user.env['INTERLOCK_TRAIN_DISPATCH_URL']}/models/{name}/trainable")
    return bool(answer.is_success and answer.json()["datasets"])


async def test_ten_events_during_a_run_give_exactly_one_more_run(user: User) -> None:
    """They join the one queued run; nobody's request is forgotten, and nothing is trained ten times."""
    name = await user.apply()
    await user.ingest(name, csv(200, seed=1))
    first = await user.retrain(name)
    await user.in_state(first, "running")
    for _ in range(10):
        await publish_retrain(user.env, name, event_id=str(uuid4()))
    await until(lambda: _count(user, name, 11))
    for run in await user.runs(name):
        await user.ended(run["run_id"])

    states = Counter(run["state"] for run in await user.runs(name))
    assert states.pop("coalesced") == 9
    assert sum(states.values()) == 2


async def _count(user: User, name: str, expected: int) -> bool:
    return len(await user.runs(name)) == expected


async def test_a_worse_candidate_is_refused_and_the_old_version_serves_on(user: User) -> None:
    """The gate has the last word: trained on a shuffled target, nothing gets in."""
    name = await user.apply(window="latest")
    await user.ingest(name, csv(600, seed=1))
    await user.ended(await user.retrain(name))
    await user.ingest(name, csv(600, seed=2, shuffled=True))
    refused = await user.ended(await user.retrain(name))

    assert refused["state"] == "refused"
    assert "r2" in refused["reason"]
    assert (await user.serves(name, 1))["version"] == 1


async def test_a_person_approves_and_rolls_back(user: User) -> None:
    """With `promotion: approval` nothing serves before somebody says so; a rollback serves the old one again."""
    name = await user.apply(promotion="approval")
    await user.ingest(name, csv(200, seed=1, slope=2.5))
    await user.ended(await user.retrain(name))
    await user.passed(name, 1)
    assert (await user.predict(name, ROW)).status_code == 404
    assert (await user.json("POST", f"/models/{name}/versions/1/approve"))["promoted"]
    await user.serves(name, 1)

    await user.ingest(name, csv(4000, seed=2, noise=0.3))
    await user.ended(await user.retrain(name))
    await user.passed(name, 2)
    await user.json("POST", f"/models/{name}/versions/2/approve")
    await user.serves(name, 2)

    assert (await user.json("POST", f"/models/{name}/rollback"))["promotion_seq"] == 3
    await user.serves(name, 1)


async def test_a_run_can_be_cancelled(user: User) -> None:
    """A running run stops on Ray, says that it was cancelled, and the model can be trained again."""
    name = await user.apply(candidates=["random_forest"], folds=5, trials=500)
    await user.ingest(name, csv(4000, seed=1))
    run = await user.retrain(name)
    await user.in_state(run, "running")
    await user.json("POST", f"/runs/{run}/cancel")

    assert (await user.ended(run))["state"] == "cancelled"
    assert (await user.http.post(f"/runs/{run}/cancel")).status_code == 409


async def test_bad_requests_say_what_would_be_right(user: User) -> None:
    """Unknown models, missing data and wrong rows are told apart, each in words."""
    name = await user.apply()
    assert (await user.http.post("/models/no-such-model/retrain", json={})).status_code == 404
    assert (await user.http.post(f"/models/{name}/retrain", json={})).status_code == 409
    rejected = await user.ingest(name, b"size,colour,price\n1,red,2\n")
    assert rejected["state"] == "rejected"
    assert any(reason["column"] == "color" for reason in rejected["reasons"])

    await user.ingest(name, csv(200, seed=1))
    await user.ended(await user.retrain(name))
    await user.serves(name, 1)
    answer = await user.predict(name, {"size": "big", "color": "red"}, {"size": 1.0, "color": "red", "weight": 2})
    assert answer.status_code == 422
    told = json.dumps(answer.json())
    assert "size" in told
    assert "weight" in told
    unseen = (await user.predict(name, {"size": 1.0, "color": "violet"})).json()
    assert "violet" in json.dumps(unseen["warnings"])
