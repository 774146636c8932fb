"""`predict`: rows from wherever they are."""

from pathlib import Path

import pytest
from interlock_cli import predictions

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import pipeline

ANSWER = {"id": "x", "model": "m", "version": 2, "predictions": [1.5]}


@pytest.fixture
def answering(stub: StubGateway) -> StubGateway:
    stub.respond("POST /models/m/predict", ANSWER)
    return stub


def test_rows_on_the_command_line(answering: StubGateway) -> None:
    """The answer names its version, and with --json it is the gateway's own."""
    assert interlock("predict", "m", "--row", '{"size": 1}', "--row", '{"size": 2}', "--json").json == ANSWER
    assert answering.requests[0].json == {"rows": [{"size": 1}, {"size": 2}]}
    assert "# m version 2" in interlock("predict", "m", "--row", "{}").out


@pytest.mark.parametrize(
    "text", ['[{"size": 1}]', '{"size": 1}', '{"rows": [{"size": 1}]}', '{"size":\n 1}', '{"size": 1}\n\n']
)
def test_json_may_be_a_list_a_row_a_body_or_a_row_a_line(answering: StubGateway, text: str, tmp_path: Path) -> None:
    """Whatever form the rows have, the same is sent; a file and standard input are read alike."""
    (tmp_path / "rows.jsonl").write_text(text)
    interlock("predict", "m", "--file", tmp_path / "rows.jsonl")
    interlock("predict", "m", stdin=text)

    assert [each.json for each in answering.requests] == [{"rows": [{"size": 1}]}] * 2


def test_a_csv_is_read_as_the_pipeline_declares_it(answering: StubGateway, tmp_path: Path) -> None:
    """Types, nulls and the delimiter come from the spec; the target and strange columns stay at home."""
    answering.respond("GET /pipelines/m", pipeline())
    (tmp_path / "rows.csv").write_text("size;rooms;new;color;price;note\n1.5;2;true;1;9;hello\nNA;x;0;;9;\n")
    interlock("predict", "m", "--file", tmp_path / "rows.csv")

    assert answering.requests[-1].json == {
        "rows": [
            {"size": 1.5, "rooms": 2, "new": True, "color": "1"},
            {"size": None, "rooms": "x", "new": False, "color": None},
        ]
    }


def test_many_rows_go_in_several_requests(
    answering: StubGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A long file is no reason for a request that is too large."""
    monkeypatch.setattr(predictions, "CHUNK_ROWS", 2)
    (tmp_path / "rows.json").write_text('[{"size": 1}, {"size": 2}, {"size": 3}]')
    ended = interlock("predict", "m", "--file", tmp_path / "rows.json", "--json")

    assert [len(each.json["rows"]) for each in answering.requests] == [2, 1]
    assert ended.json == [ANSWER, ANSWER]


def test_probabilities_and_warnings_are_shown(stub: StubGateway) -> None:
    """A classification says how sure it is, and what was unusual about a row."""
    warning = {"row": 0, "column": "color", "message": "'mauve' is not among the 2 that the model knows"}
    answer = {**ANSWER, "predictions": ["yes"], "probabilities": [{"no": 0.2, "yes": 0.8}], "warnings": [warning]}
    stub.respond("POST /models/m/predict", answer)
    ended = interlock("predict", "m", "--row", "{}")

    assert "yes  no: 0.200, yes: 0.800" in ended.out
    assert "'mauve' is not among" in ended.out


@pytest.mark.parametrize("text", ["[1]", "{", "3"])
def test_what_is_no_row_is_refused_here(stub: StubGateway, text: str) -> None:
    """The reason says what a row looks like, and nobody is asked."""
    assert interlock("predict", "m", stdin=text).code == 1
    assert stub.requests == []


@pytest.mark.usefixtures("stub")
def test_no_rows_at_all() -> None:
    """An empty list is not an answer of nothing, but a question forgotten."""
    assert "no rows to predict" in interlock("predict", "m", stdin="[]").err
