"""Workers come and go while a search runs: containers of one image, as many as one says."""

import json
from collections import Counter

import pytest

from tests.support.compose_stack import ComposeStack
from tests.support.podman import podman
from tests.support.stack_user import User, csv
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(900)

ASK = """
import json, os, urllib.request
token = open(os.environ["RAY_AUTH_TOKEN_PATH"]).read().strip()
def asked(what):
    url = f"http://127.0.0.1:8265/api/v0/{what}?detail=1&limit=10000"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    return json.load(urllib.request.urlopen(request, timeout=20))["data"]["result"]["result"]
alive = {each["node_ip"]: each["node_id"] for each in asked("nodes") if each["state"] == "ALIVE"}
begun = [each for each in asked("tasks") if each["name"] == "_fit" and each["state"] in ("RUNNING", "FINISHED")]
fits = [each["node_id"] for each in begun]
print(json.dumps([alive, fits]))
"""


def cluster(stack: ComposeStack) -> tuple[dict[str, str], Counter[str]]:
    """Return the nodes that are alive, by address, and how many fits began on each node."""
    done = stack.execute("ray-head", "python", "-c", ASK)
    assert done.returncode == 0, done.stderr
    alive, fits = json.loads(done.stdout)
    return alive, Counter(fits)


def address(stack: ComposeStack, number: int) -> str:
    (network,) = stack.inspect("ray-worker", number)["NetworkSettings"]["Networks"].values()
    found: str = network["IPAddress"]
    return found


async def test_a_search_gains_and_loses_workers(stack: ComposeStack, user: User) -> None:
    """Both of two are used; a third that is started while it runs is, too; one is killed, and it goes on.

    That search ends when it is told to: how long containers take to start is nothing that its length could be made for.
    Of another one a worker is killed as well, and the run succeeds.
    """
    stack.scale("ray-worker", 2)
    await until(lambda: len(cluster(stack)[0]) == 3, seconds=120)
    first = {number: cluster(stack)[0][address(stack, number)] for number in (1, 2)}
    run = await searching(user, trials=10_000)
    await until(lambda: {*first.values()} <= cluster(stack)[1].keys(), seconds=120)

    stack.scale("ray-worker", 3)
    await until(lambda: address(stack, 3) in cluster(stack)[0], seconds=120)
    third = cluster(stack)[0][address(stack, 3)]
    await until(lambda: third in cluster(stack)[1], seconds=120)

    podman("kill", "--signal", "KILL", stack.container("ray-worker", 2))
    await until(lambda: first[2] not in cluster(stack)[0].values(), seconds=120)
    before = cluster(stack)[1]
    left = (first[1], third)
    await until(lambda: all(cluster(stack)[1][node] > before[node] for node in left), seconds=120)
    await user.json("POST", f"/runs/{run}/cancel")
    await user.in_state(run, "cancelled", seconds=120)

    before, run = cluster(stack)[1], await searching(user, trials=100)
    await until(lambda: all(cluster(stack)[1][node] > before[node] for node in left), seconds=120)
    podman("kill", "--signal", "KILL", stack.container("ray-worker", 3))
    assert (await user.run(run) or {})["state"] == "running"
    ended = await user.in_state(run, "succeeded", "refused", "failed", "timed_out", seconds=400)
    assert ended["state"] == "succeeded", ended


async def searching(user: User, trials: int) -> str:
    """Return a run that searches for long: it fits every trial whole."""
    name = await user.apply(candidates=["xgboost"], trials=trials, folds=5, search={"strategy": "full"})
    assert (await user.ingest(name, csv(4000, seed=2)))["state"] == "accepted"
    return await user.retrain(name)
