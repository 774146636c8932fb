"""Runs: asked for in the service's words, and followed to their end through what may come between."""

import io
from typing import Any
from uuid import UUID

import pytest
from interlock_client import StillGoingError, UnavailableError
from interlock_client.progress import RunSteps
from interlock_contracts.http import RunView
from rich.console import Console

from tests.unit.cli.views import RUN, rollout, run, version
from tests.unit.client.conftest import Call, Pauses, Service

OTHER = UUID("5d0d36c1-6a57-4f0d-a5b5-0f9e5a6f4c55")


def test_a_run_is_followed_until_its_version_serves(service: Service, call: Call) -> None:
    """The trainer, the gate, the registry, then the workers: a prediction afterwards is by the new version."""
    service.respond("POST /models/m/retrain", {"run_id": str(RUN), "run": f"/runs/{RUN}"})
    for state in ("queued", "running"):
        service.respond(f"GET /runs/{RUN}", run(state))
    service.respond(f"GET /runs/{RUN}", run("succeeded", version=1))
    for stage in ("registered", "champion"):
        service.respond("GET /models/m/versions/1", version(stage))
    service.respond("GET /models/m/rollout", rollout("serving", "waiting"))
    service.respond("GET /models/m/rollout", rollout("serving", "serving"))
    seen: list[str] = []
    ended = call("wait", call("retrain", "m"), progress=lambda view: seen.append(view.state))

    assert ended.state == "succeeded"
    assert seen == ["queued", "running", "succeeded"]
    assert service.routes[-2:] == ["GET /models/m/rollout"] * 2


def test_a_version_that_is_not_promoted_is_not_waited_for(service: Service, call: Call) -> None:
    """It may be refused, or wait for a person; the run has ended all the same."""
    service.respond(f"GET /runs/{RUN}", run("succeeded", version=1))
    service.respond("GET /models/m/versions/1", version("passed"))
    assert call("wait", str(RUN)).version == 1

    service.respond("GET /models/m/versions/1", version("champion"))
    assert call("wait", str(RUN), serving=False).version == 1
    assert "GET /models/m/rollout" not in service.routes


def test_a_coalesced_run_is_followed_in_the_one_it_joined(service: Service, call: Call) -> None:
    """What was asked for is done by the other run, whose end is returned."""
    service.respond(f"GET /runs/{RUN}", run("coalesced", into=OTHER))
    service.respond(f"GET /runs/{OTHER}", run("failed", run_id=OTHER, reason="out of memory"))

    assert call("wait", RUN).reason == "out of memory"


def test_a_run_that_is_not_there_yet_and_an_outage_are_waited_out(service: Service, call: Call) -> None:
    """A run is accepted before the dispatcher knows it, and services are restarted one by one."""
    service.refuse(f"GET /runs/{RUN}", 404, after="1")
    for _ in range(5):
        service.refuse(f"GET /runs/{RUN}", 503)
    service.respond(f"GET /runs/{RUN}", run("cancelled"))

    assert call("wait", RUN).state == "cancelled"


def test_an_outage_that_stays_is_an_error(service: Service, call: Call, pauses: Pauses) -> None:
    """After a minute, not before."""
    service.refuse(f"GET /runs/{RUN}", 503, "the dispatcher is down")
    with pytest.raises(UnavailableError, match="the dispatcher is down"):
        call("wait", RUN)
    assert 60 < sum(pauses) < 70


def test_a_run_that_goes_on_is_an_error_that_has_it(service: Service, call: Call) -> None:
    """It says how far it has come, and that nothing was cancelled can be seen."""
    service.respond(f"GET /runs/{RUN}", run("running", trials=3))
    with pytest.raises(StillGoingError, match="still running after 5 s") as raised:
        call("wait", RUN, timeout=5)

    assert isinstance(raised.value.seen, RunView)
    assert raised.value.seen.progress is not None
    assert raised.value.seen.progress.trials_done == 3


def test_runs_are_filtered_by_state(service: Service, call: Call) -> None:
    """One state, or several; one that there is not is told before anybody is asked."""
    service.respond("GET /runs", [run("failed")])
    assert call("runs", "m", state=["failed", "refused"], limit=3)[0].state == "failed"
    assert dict(service.requests[0].url.params) == {"model": "m", "state": "refused,failed", "limit": "3"}

    with pytest.raises(ValueError, match="exploded"):
        call("runs", state="exploded")
    assert len(service.requests) == 1


def test_the_newest_run_is_one_that_trains(service: Service, call: Call) -> None:
    """A model's first may take a moment to be there, and one that was coalesced is none."""
    service.respond("GET /runs", [])
    service.respond("GET /runs", [run("coalesced", run_id=OTHER, into=RUN), run("queued")])

    assert call("newest_run", "m").run_id == RUN


def test_bars_show_the_steps_of_a_run(service: Service, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``progress=True``, on a terminal here: trials, the best score, the outcome."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr("rich.console.Console", lambda: console)
    service.respond(f"GET /runs/{RUN}", run("running", trials=3, started_at="2026-11-21T12:00:02Z"))
    service.respond(f"GET /runs/{RUN}", run("failed", trials=3, started_at="2026-11-21T12:00:02Z"))
    call("wait", RUN, progress=True)

    assert "3/4" in screen.getvalue()
    assert "best r2 0.9000" in screen.getvalue()
    assert "✗" in screen.getvalue()


def test_bars_stay_out_of_files() -> None:
    """A log of a script gets no escape sequences."""
    file = io.StringIO()
    with RunSteps(Console(file=file)) as show:
        show(RunView.model_validate(run("queued")))
    assert file.getvalue() == ""


def test_a_log_is_text_with_what_is_known_of_it(service: Service, call: Call) -> None:
    """Of the newest attempt, or of the one that is asked for."""
    headers: dict[str, Any] = {"interlock-attempt": "2", "interlock-log-complete": "true"}
    service.respond(f"GET /runs/{RUN}/logs", "r\u00e9sum\u00e9\n".encode(), **headers)
    log = call("logs", RUN, attempt=2)

    assert (str(log), log.attempt, log.complete) == ("r\u00e9sum\u00e9\n", 2, True)
    assert service.requests[-1].url.params["attempt"] == "2"


def test_a_commit_is_trained_once(service: Service, call: Call) -> None:
    """The key follows from the commit and what is trained on; another spec or file is another request."""
    service.respond("POST /models/m/retrain", {"run_id": str(RUN), "run": f"/runs/{RUN}"})
    asked: list[dict[str, Any]] = [{}, {}, {"pipeline": "a" * 64}, {"dataset": "b" * 64}, {"reason": "again"}]
    for each in asked:
        call("retrain", "m", commit="é" * 100, **each)
    keys = [each.headers["idempotency-key"] for each in service.requests]

    assert keys[0] == keys[1] == keys[4]
    assert len(set(keys)) == 3
    assert max(map(len, keys)) <= 200
    assert service.json(0)["tags"] == {"commit": "é" * 100}


def test_a_request_may_have_a_key_and_tags_of_its_own(service: Service, call: Call) -> None:
    """They go before what follows from the commit."""
    service.respond("POST /models/m/retrain", {"run_id": str(RUN), "run": f"/runs/{RUN}"})
    call("retrain", "m", commit="f00d", tags={"commit": "v2", "team": "pricing"}, idempotency_key="monday")

    assert service.requests[0].headers["idempotency-key"] == "monday"
    assert service.json() == {"commit": "f00d", "tags": {"commit": "v2", "team": "pricing"}}
    with pytest.raises(ValueError, match="1 to 200 printable ASCII characters"):
        call("retrain", "m", idempotency_key="")
