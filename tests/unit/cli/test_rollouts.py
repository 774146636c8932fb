"""`rollout`, and what `watch` and `show` tell of it."""

import json

import pytest
from interlock_cli import rollouts
from interlock_client import operations

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import RUN, model, rollout, run, version


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations.runs, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(operations.models, "POLL_SECONDS", 0.001)


@pytest.fixture
def promoted(stub: StubGateway) -> StubGateway:
    stub.respond(f"GET /runs/{RUN}", run("succeeded", version=7))
    stub.respond("GET /models/m/versions/7", version("registered", 7))
    stub.respond("GET /models/m/versions/7", version("champion", 7))
    return stub


def test_watch_shows_the_rollout_until_every_worker_has_it(promoted: StubGateway) -> None:
    """A promotion is not the end: the end is when everybody gets the new version's answers."""
    for states in (["waiting", "waiting"], ["serving", "waiting"], ["serving", "serving"]):
        promoted.respond("GET /models/m/rollout", rollout(*states, version=7))
    ended = interlock("watch", RUN)

    assert ended.code == 0
    assert [line for line in ended.out.splitlines() if "workers on" in line] == [
        "0 of 2 workers on version 7 of m",
        "1 of 2 workers on version 7 of m",
        "2 of 2 workers on version 7 of m",
    ]


def test_watch_names_who_has_not_converged_and_why(promoted: StubGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a deadline, with exit code 1, and what to do."""
    monkeypatch.setattr(rollouts, "ROLLOUT_SECONDS", 0.05)
    seen = rollout("failed", "waiting", "serving", version=7, failure="RefusedModelError: it crashes")
    promoted.respond("GET /models/m/rollout", seen)
    ended = interlock("watch", RUN)

    assert ended.code == 1
    assert "worker host-0 serves none: RefusedModelError: it crashes" in ended.out
    assert "only 1 of 3 workers on version 7 of m" in ended.err
    assert "host-1 serves none: it has not reported the new version yet" in ended.err
    assert "interlock rollback m" in ended.err


def test_watch_ends_when_a_newer_version_overtakes(promoted: StubGateway) -> None:
    """There is nothing left to wait for."""
    promoted.respond("GET /models/m/rollout", rollout("waiting", version=8))

    assert "version 8 of m was promoted meanwhile" in interlock("watch", RUN).out


def test_the_json_of_watch_has_the_rollout(promoted: StubGateway) -> None:
    """Programs get the run with its roll-out in one document."""
    promoted.respond("GET /models/m/rollout", rollout("serving", "unloaded", version=7))
    answer = json.loads(interlock("watch", RUN, "--json").out)

    assert answer["state"] == "succeeded"
    assert (answer["rollout"]["serving"], answer["rollout"]["workers"]) == (1, 2)


def test_rollout_tells_by_exit_code_whether_it_is_complete(stub: StubGateway) -> None:
    """For scripts; with --wait it is watched."""
    stub.respond("GET /models/m/rollout", rollout("serving", "waiting"))
    stub.respond("GET /models/m/rollout", rollout("serving", "serving"))

    assert interlock("rollout", "m").code == 1
    assert interlock("rollout", "m", "--wait").code == 0


def test_show_tells_how_far_a_model_is_rolled_out(stub: StubGateway) -> None:
    """What should serve and what does serve are two things."""
    stub.respond("GET /models/m", model(1))
    stub.respond("GET /models/m/rollout", rollout("serving", "waiting"))

    assert "1 of 2 workers on version 1 of m" in interlock("show", "m").out
