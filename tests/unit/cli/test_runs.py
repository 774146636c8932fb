"""`retrain`, `watch`, `runs` and `cancel`."""

from datetime import timedelta
from uuid import UUID

import pytest
from interlock_client import operations
from interlock_contracts.datasets import Finding

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import DIGEST, NOW, RUN, dataset, run, version

OTHER = UUID("1b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations.runs, "POLL_SECONDS", 0.001)


def test_retrain_says_which_run_to_watch(stub: StubGateway) -> None:
    """Only what was given is sent; the run's id is known at once."""
    stub.respond("POST /models/m/retrain", {"run_id": str(RUN), "run": f"/runs/{RUN}"}, status=202)
    ended = interlock("retrain", "m", "--reason", "new month")

    assert f"interlock watch {RUN}" in ended.out
    assert stub.requests[0].json == {"reason": "new month"}


def test_retrain_gives_a_run_its_tags(stub: StubGateway) -> None:
    """Each by its name; one without a value has an empty one."""
    stub.respond("POST /models/m/retrain", {"run_id": str(RUN), "run": f"/runs/{RUN}"}, status=202)
    ended = interlock("retrain", "m", "--tag", "team=pricing", "--tag", "audited")

    assert ended.code == 0
    assert stub.requests[0].json == {"tags": {"team": "pricing", "audited": ""}}


def test_retrain_for_a_commit_is_one_request_however_often(stub: StubGateway) -> None:
    """A CI job that runs again sends the same key, and its run is found by the commit."""
    stub.respond("POST /models/m/retrain", {"run_id": str(RUN), "run": f"/runs/{RUN}"}, status=202)
    for commit in ("f00d", "f00d", "beef"):
        assert interlock("retrain", "m", "--commit", commit).code == 0
    keys = [each.headers["idempotency-key"] for each in stub.requests]

    assert keys[0] == keys[1] != keys[2]
    assert stub.requests[0].json == {"commit": "f00d", "tags": {"commit": "f00d"}}


def test_retrain_may_name_its_request(stub: StubGateway) -> None:
    """To train the same commit again; what no header can hold is wrong usage, and so is a variable that is not set."""
    stub.respond("POST /models/m/retrain", {"run_id": str(RUN), "run": f"/runs/{RUN}"}, status=202)

    assert interlock("retrain", "m", "--commit", "f00d", "--idempotency-key", "f00d-2").code == 0
    assert stub.requests[0].headers["idempotency-key"] == "f00d-2"
    for wrong in ("", "é", "k" * 201, "two\nlines"):
        assert interlock("retrain", "m", "--idempotency-key", wrong).code == 2
    assert interlock("retrain", "m", "--commit", "").code == 2
    assert len(stub.requests) == 1


def test_retrain_can_wait_for_the_end(stub: StubGateway) -> None:
    """One command, and an exit code that tells whether a better model serves."""
    stub.respond("POST /models/m/retrain", {"run_id": str(RUN), "run": f"/runs/{RUN}"}, status=202)
    stub.respond(f"GET /runs/{RUN}", run("succeeded", version=1))
    stub.respond("GET /models/m/versions/1", version("champion"))

    assert interlock("retrain", "m", "--wait").code == 0


def test_watch_prints_a_line_for_each_change(stub: StubGateway) -> None:
    """Without a terminal there is no bar: stages, trials and the best score so far, each said once."""
    for view in (run("queued"), run("queued"), run("running", trials=1), run("running", trials=3)):
        stub.respond(f"GET /runs/{RUN}", view)
    stub.respond(f"GET /runs/{RUN}", run("succeeded", version=1))
    stub.respond("GET /models/m/versions/1", version("champion"))
    ended = interlock("watch", RUN)

    assert ended.code == 0
    assert ended.out.splitlines()[:3] == [
        "queued",
        "search, trials 1/4, best r2 0.9000",
        "search, trials 3/4, best r2 0.9000",
    ]
    assert "version 1 of m is champion" in ended.out


def test_watch_waits_for_a_run_that_is_still_on_the_bus(stub: StubGateway) -> None:
    """An accepted request is not known to the dispatcher in its first moments; a restart in between is no end."""
    stub.respond_error(f"GET /runs/{RUN}", 404, "no run is known yet")
    stub.respond_error(f"GET /runs/{RUN}", 503, "train_dispatch is down")
    stub.respond(f"GET /runs/{RUN}", run("succeeded", version=1))
    stub.respond("GET /models/m/versions/1", version("champion"))

    assert interlock("watch", RUN).code == 0


def test_watch_gives_up_on_a_run_that_nobody_knows(stub: StubGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong id is told after a while, not watched for ever."""
    monkeypatch.setattr(operations.runs, "ACCEPTED_SECONDS", 0.05)
    stub.respond_error(f"GET /runs/{RUN}", 404, "no run is known")

    assert interlock("watch", RUN).code == 1


def test_a_refused_run_tells_the_gates_reasons(stub: StubGateway) -> None:
    """The numbers that decided it, and exit code 1."""
    stub.respond(f"GET /runs/{RUN}", run("refused", version=2, reason="gain"))
    stub.respond("GET /models/m/versions/2", version("refused", 2, reasons=["r2 is 0.5 against 0.6 of version 1"]))
    ended = interlock("watch", RUN)

    assert ended.code == 1
    assert "r2 is 0.5 against 0.6 of version 1" in ended.out


def test_what_is_odd_about_its_newest_file_is_told_at_the_end_of_a_run(stub: StubGateway) -> None:
    """The version may be worse for it, or better."""
    warnings = [Finding(rule="max_psi", column="size", message="'size' has moved from batch 3")]
    stub.respond(f"GET /runs/{RUN}", run("refused", version=2, reason="gain"))
    stub.respond("GET /models/m/versions/2", version("refused", 2, datasets=[DIGEST]))
    stub.respond("GET /datasets/m", [dataset("accepted", batch=4, warnings=warnings)])

    assert "warning about batch 4: 'size' has moved from batch 3" in interlock("watch", RUN).out


def test_a_run_of_an_unknown_model_is_listed_and_followed_to_its_end(stub: StubGateway) -> None:
    """It has no spec, no start and no version; its reason is all there is."""
    failed = run("failed", reason="no pipeline is called 'nosuch'; apply one first") | {
        "model": "nosuch",
        "pipeline_digest": "0" * 64,
        "attempt": 0,
        **dict.fromkeys(("started_at", "deadline", "progress", "version")),
    }
    stub.respond("GET /runs", [failed])
    stub.respond(f"GET /runs/{RUN}", failed)

    listed, followed = interlock("runs"), interlock("watch", RUN)

    assert listed.code == 0
    assert "nosuch" in listed.out
    assert followed.code == 1
    assert "failed: no pipeline is called 'nosuch'" in followed.out


def test_a_failed_run_tells_its_reason(stub: StubGateway) -> None:
    """There is no version to ask about, only why there is none."""
    stub.respond(f"GET /runs/{RUN}", run("failed", reason="upload one first"))
    ended = interlock("watch", RUN)

    assert ended.code == 1
    assert "failed: upload one first" in ended.out


def test_a_run_that_joined_another_is_followed_there(stub: StubGateway) -> None:
    """Nobody has to find out which run their request became."""
    stub.respond(f"GET /runs/{RUN}", run("coalesced", into=OTHER))
    stub.respond(f"GET /runs/{OTHER}", run("succeeded", version=3, run_id=OTHER))
    stub.respond("GET /models/m/versions/3", version("champion", 3))
    ended = interlock("watch", RUN)

    assert ended.code == 0
    assert f"coalesced into run {OTHER}" in ended.out


def test_a_version_that_waits_for_a_person_says_how_to_approve_it(stub: StubGateway) -> None:
    """With `promotion: approval` the next step is a command."""
    stub.respond(f"GET /runs/{RUN}", run("succeeded", version=1))
    stub.respond("GET /models/m/versions/1", version("passed"))

    assert "interlock approve m 1" in interlock("watch", RUN).out


def test_watch_by_model_takes_the_newest_run_that_is_its_own(stub: StubGateway) -> None:
    """A run that joined another is not what people mean by the newest."""
    stub.respond("GET /runs", [run("coalesced", run_id=OTHER), run("running")])
    stub.respond(f"GET /runs/{RUN}", run("succeeded", version=1))
    stub.respond("GET /models/m/versions/1", version("champion"))

    assert interlock("watch", "--model", "m", "--json").json["run_id"] == str(RUN)


def test_watching_ends_at_the_timeout(stub: StubGateway) -> None:
    """The run goes on; the command says how to follow it again."""
    stub.respond(f"GET /runs/{RUN}", run("running"))
    ended = interlock("watch", RUN, "--timeout", 0)

    assert ended.code == 1
    assert f"interlock watch {RUN}" in ended.err


def test_runs_and_cancel(stub: StubGateway) -> None:
    """The list is what the dispatcher keeps; a cancel is a request that says where to look."""
    stub.respond("GET /runs", [run("failed", reason="no data")])
    stub.respond(f"POST /runs/{RUN}/cancel", run("running"), status=202)

    assert "no data" in interlock("runs", "--model", "m").out
    assert stub.requests[0].query == "model=m&limit=20"
    assert interlock("cancel", RUN).code == 0


def test_runs_are_listed_by_state(stub: StubGateway) -> None:
    """Several states at once; a list without any says so, and not that nothing was ever trained."""
    stub.respond("GET /runs", [])
    ended = interlock("runs", "--state", "refused", "--state", "failed")

    assert "state=refused%2Cfailed" in stub.requests[0].query
    assert "no such runs" in ended.out
    assert interlock("runs", "--state", "done").code == 2


def test_runs_are_found_by_tag_and_metric_and_show_both(stub: StubGateway) -> None:
    """A metric that runs were chosen by is a column."""
    stub.respond("GET /runs", [run("succeeded", version=1, tags={"team": "pricing"}, metrics={"r2": 0.9125})])
    ended = interlock("runs", "--tag", "team=pricing", "--tag", "audited", "--metric", "r2>=0.9", "--metric", "r2<=1")

    head, found = ended.out.splitlines()[:2]
    assert ("r2" in head.split(), "0.91" in found, "team=pricing" in found) == (True, True, True)
    assert "tag=team%3Apricing%2Caudited&metric=r2%3E%3D0.9%2Cr2%3C%3D1" in stub.requests[0].query


def test_runs_are_sorted_by_a_metric_and_show_it(stub: StubGateway) -> None:
    """The service sorts; the metric is a column."""
    stub.respond("GET /runs", [run("succeeded", version=1, metrics={"rmse": 9.125})])
    ended = interlock("runs", "--sort", "rmse")

    assert (ended.code, "9.12" in ended.out) == (0, True), ended.err
    assert "sort=rmse" in stub.requests[0].query
    refused = interlock("runs", "--sort=-rmsee")
    assert (refused.code, "rmse" in refused.err) == (2, True)


def test_a_misspelt_metric_is_refused_before_anything_is_asked(stub: StubGateway) -> None:
    """With the name that was perhaps meant."""
    ended = interlock("runs", "--metric", "acuracy>=0.9")

    assert (ended.code, stub.requests) == (2, [])
    assert "accuracy" in ended.err


def test_a_run_took_as_long_as_it_ran(stub: StubGateway) -> None:
    """Without the time that it waited for its turn, as everywhere."""
    began, over = NOW + timedelta(seconds=30), NOW + timedelta(seconds=38)
    ran = run("succeeded", version=1, started_at=began, ended_at=over)
    stub.respond("GET /runs", [ran, run("cancelled", ended_at=NOW)])
    ended, cancelled = interlock("runs").out.splitlines()[1:]

    assert "8.0 s" in ended
    assert " s " not in cancelled
