"""`versions`, `show`, `approve` and `rollback`."""

from urllib.parse import parse_qsl
from uuid import UUID

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import model, run, version

OTHER = UUID("1b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11")
SIGNATURE = {
    "task": "regression",
    "target": "price",
    "features": [{"name": "color", "type": "category", "nullable": True, "values": ["red", "blue"]}],
}
REPORT = {
    "passed": True,
    "reasons": ["fine"],
    "checks": [{"passed": True, "text": "r2 on the holdout is 0.91, as required at least 0.6"}],
    "rows": 200,
    "metrics": {"r2": 0.91, "rmse": None},
}
MANIFEST = {
    "winner": "xgboost",
    "params": {"max_depth": 6},
    "metric": "r2",
    "candidates": [{"candidate": "linear", "mean": 0.8, "scores": [0.8, 0.8], "fit_seconds": 0.1}],
}


def test_versions_tells_why_each_is_where_it_is(stub: StubGateway) -> None:
    """Stage and the gate's reasons stand side by side."""
    stub.respond("GET /models/m/versions", [version("refused", 2, reasons=["too slow"]), version("champion")])
    ended = interlock("versions", "m")

    assert "refused" in ended.out
    assert "too slow" in ended.out


def test_versions_are_listed_by_stage_time_and_metrics(stub: StubGateway) -> None:
    """What is no stage or bound is refused before anybody is asked."""
    stub.respond("GET /models/m/versions", [])
    filters = ("--stage", "refused", "--stage", "passed", "--min", "r2:0.8", "--max", "rmse:2", "--limit", 5)
    ended = interlock("versions", "m", *filters, "--since", "2026-11-01T00:00:00+0100")
    misspelt = interlock("versions", "m", "--min", "r3:1")

    assert ended.out.endswith("no such versions\n")
    assert dict(parse_qsl(stub.requests[-1].query)) == {
        "stage": "passed,refused",
        "min": "r2:0.8",
        "max": "rmse:2.0",
        "limit": "5",
        "since": "2026-11-01T00:00:00+01:00",
    }
    assert (misspelt.code, "--min" in misspelt.err, "r2, rmse" in misspelt.err) == (2, True, True)
    assert len(stub.requests) == 1


def test_models_are_listed_by_name_and_by_whether_they_serve(stub: StubGateway) -> None:
    """Without a filter the list is as it was."""
    stub.respond("GET /models", [])
    assert "no such models" in interlock("models", "--not-serving", "--text", "fl").out
    assert "interlock apply" in interlock("models").out
    assert [each.query for each in stub.requests] == ["text=fl&serving=false", ""]


def test_show_a_model_tells_what_it_takes(stub: StubGateway) -> None:
    """Enough to write a row for it."""
    stub.respond("GET /models/m", model(2, signature=SIGNATURE))
    ended = interlock("show", "m")

    assert "version 2 of 2 is serving" in ended.out
    assert "predicts price (regression)" in ended.out
    assert "red, blue" in ended.out


def test_show_a_model_that_does_not_serve_yet(stub: StubGateway) -> None:
    """Nothing serves, and that is what it says."""
    stub.respond("GET /models/m", model(None))

    assert "none serving" in interlock("show", "m").out


def test_show_a_version_tells_lineage_and_the_gates_numbers(stub: StubGateway) -> None:
    """From the data to the verdict on one page."""
    stub.respond("GET /models/m/versions/1", version("champion", report=REPORT, details=MANIFEST))
    ended = interlock("show", "m/1")

    for part in ("xgboost", "max_depth=6", "linear", "0.91", "200 held-out rows", "as required at least 0.6"):
        assert part in ended.out


def test_approve_promotes_or_asks_the_gate_again(stub: StubGateway) -> None:
    """Where another version serves by now, the old comparison does not count."""
    stub.respond(
        "POST /models/m/versions/2/approve", {"model": "m", "version": 2, "promoted": True, "approved_by": "ci"}
    )
    stub.respond(
        "POST /models/m/versions/2/approve",
        {"model": "m", "version": 2, "promoted": False, "approved_by": "ci"},
        status=202,
    )

    assert "is promoted" in interlock("approve", "m", 2).out
    assert "evaluates version 2" in interlock("approve", "m", 2).out
    assert [each.json for each in stub.requests] == [{}, {}]


def test_promote_says_whether_it_serves_is_compared_or_waits(stub: StubGateway) -> None:
    """And to which stage."""
    answer = {"model": "m", "version": 2, "stage": "production"}
    for status, state in ((200, "promoted"), (202, "measured"), (202, "waits")):
        stub.respond("POST /models/m/versions/2/promote", answer | {"state": state}, status=status)

    said = [interlock("promote", "m", 2, "--to", "production").out for _ in range(3)]
    assert "version 2 of m is promoted to production" in said[0]
    assert "compares version 2 with the version that serves in production" in said[1]
    assert "interlock approve m 2" in said[2]
    assert [each.json for each in stub.requests] == [{"to": "production"}] * 3


def test_approve_finds_the_version_of_a_commit(stub: StubGateway) -> None:
    """Also where its run joined another; once it serves, a job that runs again has nothing to do."""
    stub.respond("GET /runs", [run("coalesced", into=OTHER)])
    stub.respond(f"GET /runs/{OTHER}", run("succeeded", version=2, run_id=OTHER))
    stub.respond("GET /models/m/versions/2", version("passed", 2))
    stub.respond("GET /models/m/versions/2", version("champion", 2))
    stub.respond(
        "POST /models/m/versions/2/approve", {"model": "m", "version": 2, "promoted": True, "approved_by": "ci"}
    )

    assert "version 2 of m is promoted" in interlock("approve", "m", "--commit", "f00d").out
    again = interlock("approve", "m", "--commit", "f00d", "--json")
    assert (again.code, again.json) == (0, {"model": "m", "version": 2, "promoted": True})
    assert [each.route for each in stub.requests].count("POST /models/m/versions/2/approve") == 1
    assert {each.query for each in stub.requests if each.route == "GET /runs"} == {"model=m&tag=commit%3Af00d&limit=1"}


def test_approve_for_a_commit_without_a_version_says_why(stub: StubGateway) -> None:
    """Nothing was asked for, or it came to nothing; and which version is meant is said once."""
    stub.respond("GET /runs", [])
    stub.respond("GET /runs", [run("failed", reason="out of memory")])
    never, failed = (interlock("approve", "m", "--commit", "f00d") for _ in range(2))

    assert (never.code, "interlock retrain m --commit f00d" in never.err) == (1, True)
    assert (failed.code, "it is failed: out of memory" in failed.err) == (1, True)
    assert interlock("approve", "m").code == interlock("approve", "m", 2, "--commit", "f00d").code == 2
    assert interlock("approve", "m", "--commit", "").code == 2


def test_rollback_names_what_serves_again(stub: StubGateway) -> None:
    """Without a version the registry chooses the one that served before."""
    stub.respond("POST /models/m/rollback", {"model": "m", "version": 1, "promotion_seq": 3})

    assert "version 1 of m is promoted again" in interlock("rollback", "m").out


def test_a_rollback_to_nowhere_is_refused_with_the_reason(stub: StubGateway) -> None:
    """Exit code 1, and the registry's own words."""
    stub.respond_error("POST /models/m/rollback", 409, "no version served before")
    ended = interlock("rollback", "m")

    assert (ended.code, "no version served before" in ended.err) == (1, True)
