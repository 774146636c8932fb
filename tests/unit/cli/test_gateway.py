"""How commands find the gateway, and what they say when it is not there or says no."""

from pathlib import Path

import pytest
from interlock_cli.terminal import NOT_RUNNING, explained
from interlock_client import UnavailableError
from interlock_contracts.http import Problem

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import KEY, StubGateway
from tests.unit.cli.views import model


@pytest.mark.usefixtures("stub")
def test_it_says_how_to_start_when_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is one line of what is wrong and one of what to do, with exit code 3."""
    monkeypatch.setenv("INTERLOCK_GATEWAY_URL", "http://127.0.0.1:1")
    ended = interlock("models")

    assert ended.code == 3
    assert "nothing answers at http://127.0.0.1:1" in ended.err
    assert "interlock up" in ended.err


@pytest.mark.usefixtures("stub")
def test_it_says_how_to_start_when_no_gateway_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a variable and without a local stack there is nowhere to ask."""
    monkeypatch.delenv("INTERLOCK_GATEWAY_URL")
    ended = interlock("models")

    assert ended.code == 1
    assert "no gateway is configured" in ended.err


def test_the_key_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, stub: StubGateway, tmp_path: Path) -> None:
    """Secrets come as files in containers, and as variables elsewhere."""
    (tmp_path / "key").write_text(f"{KEY}\n")
    monkeypatch.delenv("INTERLOCK_API_KEY")
    monkeypatch.setenv("INTERLOCK_API_KEY_FILE", str(tmp_path / "key"))
    stub.respond("GET /models", [])

    assert interlock("models").code == 0


@pytest.mark.usefixtures("stub")
def test_a_wrong_key_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 401 says where the key comes from."""
    monkeypatch.setenv("INTERLOCK_API_KEY", "another")
    ended = interlock("models")

    assert ended.code == 1
    assert "INTERLOCK_API_KEY" in ended.err


def test_a_problem_names_every_fault(stub: StubGateway) -> None:
    """Rows that do not fit are told one by one, as the gateway says them."""
    faults = [{"row": 0, "column": "size", "message": "'x' is no number"}, {"row": 1, "message": "not an object"}]
    stub.respond_error(
        "POST /models/m/predict", 422, "row 0, column 'size': 'x' is no number (and 1 more)", errors=faults
    )
    ended = interlock("predict", "m", "--row", '{"size": "x"}')

    assert ended.code == 1
    assert "row 1: not an object" in ended.err


def test_with_json_a_failure_is_one_document_too(stub: StubGateway) -> None:
    """Programs read what went wrong from standard output, with the problem as the gateway gave it."""
    stub.respond_error("GET /models/m", 404, "no pipeline is called 'm'")
    ended = interlock("show", "m", "--json")

    assert ended.code == 1
    assert ended.json["error"] == "no pipeline is called 'm'"
    assert ended.json["problem"]["status"] == 404


def test_an_answer_that_is_no_json_is_told_as_it_is(stub: StubGateway) -> None:
    """A proxy's own error page does not end in a traceback."""
    stub.respond("GET /models", "Bad Gateway", status=502)

    assert interlock("models").code == 3


@pytest.mark.usefixtures("stub")
def test_wrong_usage_is_exit_code_two() -> None:
    """Scripts can tell a typing mistake from a refusal."""
    assert interlock("watch").code == 2
    assert interlock("ingest", "m", "/no/such/file").code == 2
    assert interlock("show", "m/first").code == 2
    assert interlock("predict", "m", "--row", "{}", "--file", "x.json").code == 2


def test_models_lists_what_serves(stub: StubGateway) -> None:
    """A person sees a table; a program sees what the gateway said."""
    stub.respond("GET /models", [model(2)])

    assert "version 2" in interlock("models").out
    assert interlock("models", "--json").json == [model(2)]


def test_a_service_behind_the_gateway_that_is_away_is_told_as_that() -> None:
    """What was asked has answered, so it is not `interlock up` that is missing."""
    away = UnavailableError("registry does not answer", Problem(title="A service is down", status=503))
    told = explained(away)
    assert told.hint is not None
    assert "a service behind it does not" in told.hint
    assert (told.code, explained(UnavailableError("no answer")).hint) == (3, NOT_RUNNING)


def test_what_helps_fits_what_is_missing(stub: StubGateway) -> None:
    """A version is looked for among versions, a model among models."""
    about = {"title": "Unknown version", "status": 404, "detail": "model 'm' has no version 9; the newest is 1"}
    stub.respond("GET /models/m/versions/9", about, status=404)
    stub.respond_error("GET /models/n/versions/1", 404, "no pipeline is called 'n'")

    assert "interlock versions" in interlock("show", "m/9").err
    assert "interlock models" in interlock("show", "n/1").err
