"""`predict`: rows from wherever they are."""

from pathlib import Path
from typing import Any

import pytest
from interlock_cli.prediction_files import carrying
from interlock_client.operations import predictions

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import SPEC, model, pipeline, version

ANSWER = {"id": "x", "model": "m", "version": 2, "predictions": [1.5]}


@pytest.fixture
def answering(stub: StubGateway) -> StubGateway:
    stub.respond("POST /models/m/predict", ANSWER)
    stub.respond("GET /models/m", model(2))
    stub.respond("GET /models/m/versions/2", version("champion", 2))
    stub.respond("GET /pipelines/m", pipeline())
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

    sent = [each.json for each in answering.requests if each.route == "POST /models/m/predict"]
    assert sent == [{"rows": [{"size": 1}]}] * 2


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_csv_is_read_as_the_serving_version_was_trained_on_it(
    answering: StubGateway, tmp_path: Path, mark: str
) -> None:
    """By that version's spec; target and strange columns stay at home, and cells go as they are written."""
    (tmp_path / "rows.csv").write_text(f"{mark}size;rooms;new;color;price;note\n1.5;2.0;yes;1;9;hello\nNA;x;0;;9;\n")
    interlock("predict", "m", "--file", tmp_path / "rows.csv")

    asked = [f"{each.route}?{each.query}" for each in answering.requests[:3]]
    assert asked == ["GET /models/m?", "GET /models/m/versions/2?", f"GET /pipelines/m?digest={SPEC.digest}"]
    assert answering.requests[-1].json == {
        "rows": [
            {"size": "1.5", "rooms": "2.0", "new": "yes", "color": "1"},
            {"size": None, "rooms": "x", "new": "0", "color": None},
        ]
    }


def test_what_a_spreadsheet_adds_to_a_csv_is_left_out(answering: StubGateway, tmp_path: Path) -> None:
    """The line that names the delimiter, columns without a name and rows without a cell."""
    (tmp_path / "rows.csv").write_text("sep=;\r\nsize;rooms;;\r\n1.5;2;;\r\n;;;\r\n;;;\r\n")
    interlock("predict", "m", "--file", tmp_path / "rows.csv")

    assert answering.requests[-1].json == {"rows": [{"size": "1.5", "rooms": "2"}]}


def test_a_file_of_json_lines_may_hold_the_target(answering: StubGateway, tmp_path: Path) -> None:
    """What was trained on can be asked; with a byte order mark, too."""
    row = '{"size": 1, "rooms": 2, "new": true, "color": 7'
    (tmp_path / "rows.jsonl").write_text(f'\ufeff{row}, "price": 3, "note": 1}}\n')
    interlock("predict", "m", "--file", tmp_path / "rows.jsonl")

    assert answering.requests[-1].json == {"rows": [{"size": 1, "rooms": 2, "new": True, "color": 7}]}


@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize("text", ['{"size": 1, "size": 2}\n{"size": 3}\n', '[{"size": 1, "size": 2}]'])
def test_a_key_that_is_twice_in_a_row_is_refused(tmp_path: Path, text: str) -> None:
    """The last would win in silence."""
    (tmp_path / "rows.jsonl").write_text(text)
    ended = interlock("predict", "m", "--file", tmp_path / "rows.jsonl")

    assert ended.code == 1
    assert "'size' is there twice" in ended.err


def test_the_key_of_each_row_stands_beside_its_prediction(stub: StubGateway, tmp_path: Path) -> None:
    """Where the serving version gives it back; an older one would refuse the column, so it stays at home."""
    keyed = SPEC.model_copy(update={"data": SPEC.data.model_copy(update={"key": ["color"]})})
    stub.respond("GET /models/m", model(2, signature={"key": ["color"]}))
    stub.respond("GET /models/m", model(2, signature={}))
    stub.respond("GET /models/m/versions/2", version("champion", 2))
    stub.respond("GET /pipelines/m", {**pipeline(), "spec": keyed.model_dump(mode="json")})
    stub.respond("POST /models/m/predict", {**ANSWER, "keys": [{"color": "red"}]})
    (tmp_path / "rows.csv").write_text("size;rooms;new;color;price\n1.5;2;yes;red;9\n")
    ended = interlock("predict", "m", "--file", tmp_path / "rows.csv")

    assert stub.requests[-1].json["rows"] == [{"size": "1.5", "rooms": "2", "new": "yes", "color": "red"}]
    assert "1.5  color=red" in ended.out
    interlock("predict", "m", "--file", tmp_path / "rows.csv")
    assert stub.requests[-1].json["rows"] == [{"size": "1.5", "rooms": "2", "new": "yes"}]


def test_a_misspelt_column_is_left_for_the_gateway_to_name(answering: StubGateway, tmp_path: Path) -> None:
    """Dropped in silence, it would count as missing in every row."""
    (tmp_path / "rows.csv").write_text("Size;rooms;new;color;price\n1.5;2;yes;1;9\n")
    interlock("predict", "m", "--file", tmp_path / "rows.csv")

    assert answering.requests[-1].json["rows"] == [{"Size": "1.5", "rooms": "2", "new": "yes", "color": "1"}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("size;size\n1;2\n", "has the column 'size' twice"),
        ("size;rooms\n1\n", "row 0 of"),
        ('size\n"1\n', "not CSV as the pipeline declares it"),
    ],
)
def test_a_file_that_is_no_table_is_refused_here(answering: StubGateway, tmp_path: Path, text: str, words: str) -> None:
    """Before anything is asked of the model."""
    (tmp_path / "rows.csv").write_text(text)
    ended = interlock("predict", "m", "--file", tmp_path / "rows.csv")

    assert ended.code == 1
    assert words in ended.err
    assert answering.requests[-1].route == "GET /pipelines/m"


def test_a_file_for_a_model_that_does_not_serve_is_refused(stub: StubGateway, tmp_path: Path) -> None:
    """There is no version whose columns could be read."""
    stub.respond("GET /models/m", model(None))
    (tmp_path / "rows.csv").write_text("size\n1\n")

    assert "no version of m serves yet" in interlock("predict", "m", "--file", tmp_path / "rows.csv").err


def test_many_rows_go_in_several_requests(
    answering: StubGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A long file is no reason for a request that is too large."""
    monkeypatch.setattr(predictions, "CHUNK_ROWS", 2)
    (tmp_path / "rows.json").write_text('[{"size": 1}, {"size": 2}, {"size": 3}]')
    ended = interlock("predict", "m", "--file", tmp_path / "rows.json", "--json")

    sent = [each.json["rows"] for each in answering.requests if each.route == "POST /models/m/predict"]
    assert [len(rows) for rows in sent] == [2, 1]
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


def test_columns_with_a_role_go_along_beside_the_predictions(stub: StubGateway, tmp_path: Path) -> None:
    """As a key does, but they are not sent: the model has no use for them."""
    columns = SPEC.data.columns | {"color": SPEC.data.columns["color"].model_copy(update={"role": "slice"})}
    roles = SPEC.model_copy(update={"data": SPEC.data.model_copy(update={"columns": columns})})
    stub.respond("GET /models/m", model(2))
    stub.respond("GET /models/m/versions/2", version("champion", 2))
    stub.respond("GET /pipelines/m", {**pipeline(), "spec": roles.model_dump(mode="json")})
    stub.respond("POST /models/m/predict", ANSWER)
    (tmp_path / "rows.csv").write_text("size;rooms;new;color;price\n1.5;2;yes;red;9\n")
    shown = interlock("predict", "m", "--file", tmp_path / "rows.csv").out
    ended = interlock("predict", "m", "--file", tmp_path / "rows.csv", "--json")

    assert stub.requests[-1].json["rows"] == [{"size": "1.5", "rooms": "2", "new": "yes"}]
    assert "1.5  color=red" in shown
    assert ended.json == {**ANSWER, "keys": [{"color": "red"}]}


def test_what_goes_along_is_that_of_its_row() -> None:
    """Also where a request has only some of the rows, and beside their keys."""
    answers: list[dict[str, Any]] = [{"predictions": [1, 2], "keys": [{"id": 1}, {"id": 2}]}, {"predictions": [3]}]
    carried = carrying(answers, [{"note": "a"}, {}, {"note": "c"}])

    assert [each["keys"] for each in carried] == [[{"id": 1, "note": "a"}, {"id": 2}], [{"note": "c"}]]
