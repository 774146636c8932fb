"""Whole files: sent once, followed, and their answers written when all of them are there."""

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from interlock_client import EndedError, InterlockError, PredictionWarning, StillGoingError, UnavailableError
from interlock_contracts.prediction_bodies import PredictionLinks, PredictionView

from tests.unit.cli.views import NOW, model, pipeline, plain
from tests.unit.client.conftest import Call, Service

ID = UUID("0b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11")
SUBMIT, LOOK, RESULT = "POST /models/m/predictions", f"GET /predictions/{ID}", f"GET /predictions/{ID}/result"
ANSWERS = b"PAR1 the answers"


def view(state: Any, **more: Any) -> Any:
    links = PredictionLinks.of(ID)
    links.result = f"/predictions/{ID}/result" if state == "completed" else None
    return plain(PredictionView(id=ID, model="m", state=state, requested_at=NOW, links=links, **more))


@pytest.fixture
def file(service: Service, tmp_path: Path) -> Path:
    service.respond("GET /models/m", model(2))
    service.respond("GET /pipelines/m", pipeline())
    service.respond(SUBMIT, view("queued"), status=202)
    service.respond(RESULT, ANSWERS)
    path = tmp_path / "in.csv"
    path.write_text("size\n1\n2\n")
    return path


def left_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_file_is_sent_followed_and_its_answers_are_written(service: Service, call: Call, file: Path) -> None:
    """The whole of it is sent as it is; a break while it is downloaded begins the download anew."""
    service.respond(LOOK, view("running"))
    service.respond(LOOK, view("completed", rows=2, version=2, warnings=["column 'color' is in no row of the file"]))
    service.break_off(RESULT, httpx.ReadError("reset"))
    service.respond(RESULT, ANSWERS)
    out = file.with_name("out.parquet")

    with pytest.warns(PredictionWarning, match="'color' is in no row"):
        seen = call("predict_file", "m", file, out, on_error="null", log=0.5)

    assert (seen.state, seen.version) == ("completed", 2)
    assert out.read_bytes() == ANSWERS
    (sent,) = [each for each in service.requests if each.method == "POST"]
    assert service.bodies[service.requests.index(sent)] == file.read_bytes()
    assert dict(sent.url.params) == {"on_error": "null", "log": "0.5"}
    assert sent.headers["content-type"] == "text/csv"


def test_the_same_file_is_the_same_prediction(service: Service, call: Call, file: Path) -> None:
    """What runs already is not sent again; what has failed is tried anew under another key."""
    call("submit_file", "m", file)
    looked = [each for each in service.routes if each.startswith("GET /predictions/")]
    for state in ("running", "failed"):
        service.respond(looked[0], view(state))
    assert call("submit_file", "m", str(file)).state == "running"
    assert service.routes.count(SUBMIT) == 1

    call("submit_file", "m", file)
    keys = {each.headers["idempotency-key"] for each in service.requests if each.method == "POST"}
    assert [key.rpartition("/")[2] for key in sorted(keys)] == ["0", "1"]


def test_answers_that_have_expired_are_made_anew(service: Service, call: Call, file: Path) -> None:
    """410 says that there was such a prediction, and that its answers are gone."""
    call("submit_file", "m", file)
    looked = next(each for each in service.routes if each.startswith("GET /predictions/"))
    service.refuse(looked, 410, "it has expired")
    call("submit_file", "m", file)
    assert service.routes.count(SUBMIT) == 2


def test_a_file_that_does_not_fit_says_why(service: Service, call: Call, file: Path) -> None:
    """Nothing is written."""
    service.respond(LOOK, view("failed", reason="row 2, column 'size': it is not a number"))
    with pytest.raises(EndedError, match="row 2, column 'size'") as caught:
        call("predict_file", "m", file, file.with_name("out.parquet"))
    assert caught.value.seen.state == "failed"
    assert left_in(file.parent) == ["in.csv"]


def test_waiting_has_an_end(service: Service, call: Call, file: Path) -> None:
    """The prediction goes on."""
    service.respond(LOOK, view("running"))
    with pytest.raises(StillGoingError, match="not ended after 0 s"):
        call("predict_file", "m", file, file.with_name("out.parquet"), timeout=0)


@pytest.mark.parametrize("broken", [False, True], ids=["refused", "in-between"])
def test_answers_that_break_off_leave_nothing(service: Service, call: Call, file: Path, broken: bool) -> None:
    """Half a file would look like a whole one."""
    heard: list[tuple[int, int | None]] = []

    def received(size: int, whole: int | None) -> None:
        assert (file.parent / ".out.parquet.part").exists()
        heard.append((size, whole))
        raise InterruptedError

    if not broken:
        service.refuse(f"GET /predictions/{ID}/other", 503, "the store does not answer")
    completed = PredictionView.model_validate(view("completed"))
    completed.links.result = f"/predictions/{ID}/{'result' if broken else 'other'}"
    with pytest.raises(InterruptedError if broken else UnavailableError):
        call("fetch_answers", completed, file.with_name("out.parquet"), on_received=received)
    assert left_in(file.parent) == ["in.csv"]
    assert heard == ([(len(ANSWERS), len(ANSWERS))] if broken else [])


def test_what_cannot_be_sent_is_said_before(service: Service, call: Call, file: Path) -> None:
    """An unknown suffix, and a model that does not serve yet."""
    text = file.rename(file.with_suffix(".txt"))
    with pytest.raises(InterlockError, match=r"unknown file type; supported suffixes: \.csv"):
        call("submit_file", "m", text)
    service.respond("GET /models/n", model(None))
    with pytest.raises(InterlockError, match="no version of 'n' is serving yet"):
        call("submit_file", "n", text.rename(text.with_suffix(".csv")))
    assert SUBMIT not in service.routes
