"""What is true of every call, with either client."""

import inspect
from pathlib import Path
from typing import Any

import httpx
import pytest
from interlock_client import (
    AsyncClient,
    Client,
    ConflictError,
    InterlockError,
    InvalidError,
    NotAllowedError,
    NotConfiguredError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)

from tests.unit.cli.views import RUN, model, run
from tests.unit.client.conftest import URL, Call, Pauses, Service


def public(kind: type) -> dict[str, Any]:
    return {name: value for name, value in inspect.getmembers(kind, callable) if not name.startswith("_")}


def test_both_clients_do_the_same() -> None:
    """Whoever moves from one to the other finds every operation, with its arguments and its text."""
    waiting, awaited = public(Client), public(AsyncClient)

    assert waiting.keys() == awaited.keys()
    assert len(waiting) > 25
    for name, method in waiting.items():
        assert list(inspect.signature(method).parameters) == list(inspect.signature(awaited[name]).parameters), name
        assert inspect.getdoc(method), name


def test_a_method_tells_its_own_arguments_and_result() -> None:
    """``help`` and notebooks show what the operation takes, and no generator."""
    signature = inspect.signature(Client("http://gateway").retrain)

    assert list(signature.parameters) == [
        "model",
        "reason",
        "dataset",
        "pipeline",
        "commit",
        "tags",
        "idempotency_key",
    ]
    assert signature.return_annotation.__name__ == "RunAccepted"


def test_the_key_is_sent_and_answers_are_the_contracts_models(service: Service, call: Call) -> None:
    """No dictionaries to look up: a version is ``view.serving.ref.version``."""
    service.respond("GET /models/m", model(2))

    assert call("model", "m").serving.ref.version == 2
    assert service.requests[0].headers["authorization"] == "Bearer a-key"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidError),
        (401, NotAllowedError),
        (403, NotAllowedError),
        (404, NotFoundError),
        (409, ConflictError),
        (413, RefusedError),
        (422, InvalidError),
        (502, UnavailableError),
        (503, UnavailableError),
        (504, UnavailableError),
    ],
)
def test_an_error_is_of_its_kind(service: Service, call: Call, status: int, kind: type[InterlockError]) -> None:
    """With the problem's own words, and every fault that the words leave out."""
    faults = [{"row": 0, "column": "size", "message": "'x' is no number"}, {"row": 1, "message": "not an object"}]
    service.refuse("POST /runs/7/cancel", status, "row 0, column size: 'x' is no number", errors=faults)
    with pytest.raises(kind) as raised:
        call("cancel", "7")

    error = raised.value
    assert type(error) is kind
    assert (error.status, error.title, error.errors) == (status, "Refused", faults)
    assert str(error).startswith("row 0, column size: 'x' is no number")
    assert ("row 1: not an object" in str(error)) == isinstance(error, RefusedError)


def test_a_fault_of_a_field_or_parameter_is_told_with_its_name_once(service: Service, call: Call) -> None:
    """As the services' framework names them: by a key."""
    faults = [{"key": "dataset", "source": "body", "message": "String should match pattern"}]
    service.refuse("POST /runs/7/cancel", 400, "Validation failed", errors=faults)
    with pytest.raises(InvalidError, match=r"^Validation failed\n  dataset: String should match pattern$"):
        call("cancel", "7")

    unknown = "unknown query parameter 'log', known are on_error"
    service.refuse("POST /runs/8/cancel", 422, unknown, errors=[{"key": "log", "source": "query", "message": unknown}])
    with pytest.raises(InvalidError, match=f"^{unknown}$"):
        call("cancel", "8")


def test_an_answer_that_is_no_json_is_an_error_with_its_text(service: Service, call: Call) -> None:
    """A proxy's page ends in no traceback of the parser's."""
    service.respond("GET /models", b"<html>Welcome</html>")
    with pytest.raises(InterlockError, match="is no JSON: '<html>Welcome"):
        call("models")

    service.respond("GET /runs/7", b"<html>Bad</html>", status=500)
    with pytest.raises(RefusedError, match="<html>Bad"):
        call("run", "7")


def test_reading_is_tried_again_and_keeps_to_retry_after(service: Service, call: Call, pauses: Pauses) -> None:
    """A gateway that restarts is waited for as long as it asks."""
    service.refuse("GET /models/m", 503, after="2")
    service.break_off("GET /models/m", httpx.ReadTimeout("slow"))
    service.respond("GET /models/m", model(2))

    assert call("model", "m").name == "m"
    assert pauses[0] == 2
    assert 0.3 < pauses[1] < 0.5


def test_a_request_with_a_key_of_its_own_is_tried_again_with_the_same(service: Service, call: Call) -> None:
    """So one run comes of it, though it was asked for twice."""
    service.break_off("POST /models/m/retrain", httpx.ReadTimeout("slow"))
    service.respond("POST /models/m/retrain", {"run_id": str(RUN), "run": f"/runs/{RUN}"}, status=202)

    assert call("retrain", "m", reason="new month").run_id == RUN
    first, second = service.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert service.json() == {"reason": "new month"}

    call("retrain", "m")
    assert service.requests[-1].headers["idempotency-key"] != first.headers["idempotency-key"]


def test_what_is_not_repeatable_is_sent_once_unless_nobody_took_the_connection(service: Service, call: Call) -> None:
    """A cancellation whose answer was lost may have happened; one that never arrived has not."""
    service.break_off(f"POST /runs/{RUN}/cancel", httpx.ReadTimeout("slow"))
    with pytest.raises(UnavailableError, match=f"nothing answers at {URL}"):
        call("cancel", RUN)
    assert len(service.requests) == 1

    service.break_off("POST /runs/7/cancel", httpx.ConnectError("refused"))
    service.respond("POST /runs/7/cancel", run("cancelled"))
    assert call("cancel", "7").state == "cancelled"


def test_it_gives_up_after_its_retries(service: Service, call: Call, pauses: Pauses) -> None:
    """Two more attempts, then the error; and none at all where the service asks for a long time."""
    service.refuse("GET /models", 503, "the registry is down")
    with pytest.raises(UnavailableError, match="the registry is down"):
        call("models")
    assert len(service.requests) == 3
    assert len(pauses) == 2

    service.refuse("GET /runs", 503, after="3600")
    with pytest.raises(UnavailableError):
        call("runs")
    assert len(service.requests) == 4


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the command line has them; a key may stand in a file, and what is given wins."""
    for name in ("INTERLOCK_GATEWAY_URL", "INTERLOCK_API_KEY", "INTERLOCK_CONSOLE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NotConfiguredError, match="INTERLOCK_GATEWAY_URL"):
        Client()

    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.setenv("INTERLOCK_GATEWAY_URL", "http://somewhere/")
    monkeypatch.setenv("INTERLOCK_API_KEY_FILE", str(tmp_path / "key"))
    seen = Service()
    seen.respond("GET /models", [])
    Client(transport=seen.transport()).models()
    assert str(seen.requests[0].url) == "http://somewhere/models"
    assert seen.requests[0].headers["authorization"] == "Bearer from-a-file"

    Client("http://other", "mine", transport=seen.transport()).models()
    assert str(seen.requests[1].url) == "http://other/models"
    assert seen.requests[1].headers["authorization"] == "Bearer mine"

    with pytest.raises(NotConfiguredError, match="INTERLOCK_CONSOLE_URL"):
        Client().events()


def test_an_answer_of_another_release_is_told(service: Service, call: Call) -> None:
    """With what is not as it should be, and no traceback of pydantic's alone."""
    service.respond("GET /models/m", {"name": "m"})
    with pytest.raises(InterlockError, match=r"no ModelView as this release of the client knows it(.|\n)*versions"):
        call("model", "m")
