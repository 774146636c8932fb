"""`predict --file --out`: a whole file answered by the service."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from interlock_client.operations import files
from interlock_contracts.prediction_bodies import PredictionLinks, PredictionView
from interlock_contracts.predictions import PredictionState
from interlock_contracts.scoring import ScoringProgress

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import NOW, model, pipeline, plain

ID = UUID("0b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11")
CONTENT = b"PAR1 and so on"
ANSWER = b"PAR1 the answer"


def view(state: PredictionState, **more: Any) -> Any:
    links = PredictionLinks.of(ID)
    if state == "completed":
        links.result = f"/predictions/{ID}/result"
        more = {"rows": 3, "unanswered": 0, "version": 2} | more
    return plain(PredictionView(id=ID, model="m", state=state, requested_at=NOW, links=links, **more))


@pytest.fixture
def file(stub: StubGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(files, "POLL_SECONDS", 0.01)
    stub.respond("GET /models/m", model(2))
    stub.respond("GET /pipelines/m", pipeline())
    stub.respond("POST /models/m/predictions", view("queued"), status=202)
    stub.respond(f"GET /predictions/{ID}/result", ANSWER)
    path = tmp_path / "in.parquet"
    path.write_bytes(CONTENT)
    return path


def sent(stub: StubGateway) -> list[str]:
    """Return the keys under which files were sent."""
    return [each.headers["idempotency-key"] for each in stub.requests if each.route.startswith("POST")]


def first_look(stub: StubGateway) -> str:
    """Return what was asked to know whether there is such a prediction already."""
    return next(each.route for each in stub.requests if each.route.startswith("GET /predictions/"))


def test_a_file_is_sent_watched_and_fetched(stub: StubGateway, file: Path) -> None:
    """Lines say how far it is, and the answer appears under its name."""
    progress = ScoringProgress(rows=1, rows_total=3, parts=1)
    for answer in (view("running", progress=progress), view("completed", warnings=["column 'color' is in no row"])):
        stub.respond(f"GET /predictions/{ID}", answer)
    out = file.with_name("out.parquet")
    ended = interlock("predict", "m", "--file", file, "--out", out)

    assert (ended.code, out.read_bytes()) == (0, ANSWER)
    assert "running: 1 of 3 rows" in ended.out
    assert "3 rows, m version 2" in ended.out
    assert "warning: column 'color' is in no row" in ended.out
    (post,) = [each for each in stub.requests if each.route.startswith("POST")]
    assert (post.body, post.headers["content-type"], post.query) == (
        CONTENT,
        "application/vnd.apache.parquet",
        "on_error=fail",
    )


def test_the_same_command_again_finds_the_same_prediction(stub: StubGateway, file: Path) -> None:
    """Nothing is sent twice for the same file, version and spec; after a promotion it is another prediction."""
    stub.respond(f"GET /predictions/{ID}", view("completed"))
    out = file.with_name("out.parquet")
    interlock("predict", "m", "--file", file, "--out", out)
    routes = [each.route for each in stub.requests]
    (looked,) = [route for route in routes if route.startswith("GET /predictions/") and "result" not in route][:1]
    stub.respond(looked, view("completed"))
    out.unlink()
    again = interlock("predict", "m", "--file", file, "--out", out, "--json")

    assert (again.code, again.json["state"], out.read_bytes()) == (0, "completed", ANSWER)
    assert len(sent(stub)) == 1
    stub.responses["GET /models/m"] = [(200, model(3), {})]
    interlock("predict", "m", "--file", file, "--out", out)
    assert len(set(sent(stub))) == 2


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_what_ended_badly_says_why_and_is_tried_anew(stub: StubGateway, file: Path, state: PredictionState) -> None:
    """Exit code 1 with the reason, and no file; the command again is another attempt, not the old failure."""
    stub.respond(f"GET /predictions/{ID}", view(state, reason="row 2, column 'size': it is not a number"))
    out = file.with_name("out.parquet")
    ended = interlock("predict", "m", "--file", file, "--out", out)
    assert (ended.code, out.exists()) == (1, False)
    assert "row 2, column 'size'" in ended.err

    stub.respond(first_look(stub), view(state))
    interlock("predict", "m", "--file", file, "--out", out)
    assert len(set(sent(stub))) == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--out", "o.parquet"], 2),
        (["--file", "missing.csv", "--out", "o.parquet"], 1),
        (["--file", "{file}", "--out", "o.parquet", "--on-error", "ignore"], 2),
        (["--file", "{file}", "--out", "o.csv"], 2),
        (["--file", "{file}"], 1),
    ],
)
def test_wrong_usage_asks_nobody(stub: StubGateway, file: Path, arguments: list[str], code: int) -> None:
    """Nothing is sent before the command makes sense."""
    ended = interlock("predict", "m", *[each.format(file=file) for each in arguments])

    assert (ended.code, sent(stub)) == (code, [])
