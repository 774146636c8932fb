"""`validate`, and what `apply --dry-run` and `ingest --dry-run` say without changing anything."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from interlock_contracts.datasets import Finding
from interlock_contracts.http import PipelineView
from interlock_contracts.pipeline_file import parse_pipeline

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import FILE, NOW, dataset


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(FILE)
    return path


def test_validate_needs_no_stack(stub: StubGateway, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads `pipeline.yaml` where nothing else is named."""
    monkeypatch.chdir(file.parent)
    ended = interlock("validate")

    assert ended.code == 0
    assert "pipeline.yaml is valid: pipeline m, regression of 'price' from 1 features" in ended.out
    assert stub.requests == []


def test_validate_and_apply_say_the_same_of_a_faulty_file(stub: StubGateway, file: Path) -> None:
    """Every fault, with its line."""
    file.write_text(FILE.replace("size: {type: number}", "yes: {type: category, values: [1]}"))
    validated, applied = interlock("validate", file), interlock("apply", file)

    assert "data.columns.yes: YAML reads yes as true; write 'yes' in quotes (line 6)" in validated.err
    assert "data.columns.yes.values.0: YAML reads 1 as the number 1; write '1' in quotes (line 6)" in validated.err
    assert (validated.code, validated.err) == (applied.code, applied.err) == (1, validated.err)
    assert stub.requests == []


def applied() -> Any:
    spec = parse_pipeline(FILE.encode())
    view = PipelineView(name="m", digest=spec.digest, revision=4, applied_at=NOW, spec=spec)
    return view.model_dump(mode="json")


def dry_run(stub: StubGateway, file: Path, now: Any) -> Any:
    if now is None:
        stub.respond_error("GET /pipelines/m", 404, "no pipeline is called 'm'")
    else:
        stub.respond("GET /pipelines/m", now)
    ended = interlock("apply", "--dry-run", "--json", file)
    assert ended.code == 0
    assert [each.route for each in stub.requests] == ["GET /pipelines/m"]
    return ended.json


def test_a_dry_run_of_apply_tells_a_new_pipeline(stub: StubGateway, file: Path) -> None:
    """Nothing is sent but the question."""
    nothing: dict[str, Any] = {"versions": [], "datasets": []}
    assert dry_run(stub, file, None) == {"pipeline": "m", "effect": "new", "changes": [], "past_retention": nothing}


def test_a_dry_run_of_apply_tells_an_unchanged_one(stub: StubGateway, file: Path) -> None:
    """By the digest, whatever the spelling."""
    now = applied()
    file.write_text(FILE + "training: {folds: 5}\n")

    assert dry_run(stub, file, now)["effect"] == "unchanged"


def test_a_dry_run_of_apply_names_the_fields_that_change(stub: StubGateway, file: Path) -> None:
    """By their path in the file, with both values; a column that comes or goes is one change."""
    file.write_text(FILE.replace("size: {type: number}", "area: {type: number, min: 0}") + "training: {folds: 3}\n")
    answer = dry_run(stub, file, applied())

    assert answer["effect"] == "revision"
    assert answer["changes"] == [
        {"field": "data.columns.size", "now": {"type": "number"}, "then": None},
        {"field": "data.columns.area", "now": None, "then": {"type": "number", "min": 0}},
        {"field": "training.folds", "now": 5, "then": 3},
    ]


def test_a_dry_run_of_apply_shows_what_the_retention_would_delete(stub: StubGateway, file: Path) -> None:
    """It asks by what the file declares, its window included, and names what stays with the reason."""
    retention = "retention: {versions: {keep_last: 2}, datasets: {keep_days: 30, keep_last: 5}}\n"
    file.write_text(FILE + "training: {window: 3}\n" + retention)
    at = NOW.isoformat()
    stub.respond("GET /pipelines/m", applied())
    gone = {"version": 1, "stage": "retired", "registered_at": at}
    stays = {"version": 2, "stage": "champion", "registered_at": at, "kept_because": "serves; roll back first"}
    stub.respond("GET /models/m/retention", [gone, stays])
    files = [{"digest": "a" * 64, "state": "accepted", "role": "training", "received_at": at, "file_name": "may.csv"}]
    stub.respond("GET /datasets/m/retention", files)

    shown = interlock("apply", "--dry-run", file)
    assert shown.code == 0
    assert "past its retention: 3, of which 2 would be deleted for good" in shown.out
    for part in ("version 1", "kept: it serves; roll back first", "file may.csv"):
        assert part in shown.out
    assert {each.route: each.query for each in stub.requests} == {
        "GET /pipelines/m": "",
        "GET /models/m/retention": "keep_last=2",
        "GET /datasets/m/retention": "keep_last=5&keep_days=30.0&window=3",
    }
    past = interlock("apply", "--dry-run", "--json", file).json["past_retention"]
    assert [each["kept_because"] for each in past["versions"]] == [None, "serves; roll back first"]
    assert [each["digest"] for each in past["datasets"]] == ["a" * 64]


def test_other_answers_than_unknown_are_errors(stub: StubGateway, file: Path) -> None:
    """A key without the right is not told that the pipeline is new."""
    stub.respond_error("GET /pipelines/m", 403, "the key lacks the scope read")

    assert interlock("apply", "--dry-run", file).code == 1


def test_a_dry_run_of_ingest_shows_the_findings_at_once(stub: StubGateway, tmp_path: Path) -> None:
    """One request, whose answer is the result; exit code 1 for a file that would be refused."""
    (tmp_path / "data.csv").write_text("size;price\n")
    found = Finding(rule="type", column="size", count=27, lines=[2], message="'size' is no number")
    stub.respond("POST /datasets/m", dataset("rejected", [found]) | {"dry_run": True})
    ended = interlock("ingest", "--dry-run", "m", tmp_path / "data.csv")

    assert ended.code == 1
    for part in ("would be rejected", "'size' is no number", "nothing was stored"):
        assert part in ended.out
    assert [(each.route, each.query) for each in stub.requests] == [
        ("POST /datasets/m", "file_name=data.csv&dry_run=true")
    ]


def test_a_dry_run_of_ingest_tells_the_split(stub: StubGateway, tmp_path: Path) -> None:
    """The rows of both sides, though neither was stored."""
    (tmp_path / "data.csv").write_text("size;price\n1;2\n")
    profile = {"train_rows": 800, "holdout_rows": 200}
    stub.respond("POST /datasets/m", dataset("accepted") | {"dry_run": True, "dataset": None, "profile": profile})
    ended = interlock("ingest", "--dry-run", "m", tmp_path / "data.csv")

    assert ended.code == 0
    assert "would be accepted: 800 training rows, 200 held-out rows" in ended.out


def test_an_older_ingest_that_has_stored_the_file_is_told(stub: StubGateway, tmp_path: Path) -> None:
    """It ignores what it does not know, and whoever asked must hear of it."""
    (tmp_path / "data.csv").write_text("size;price\n")
    stub.respond("POST /datasets/m", dataset("checking"), status=202)
    ended = interlock("ingest", "--dry-run", "m", tmp_path / "data.csv")

    assert ended.code == 1
    assert "it has stored the file" in ended.err


def test_pipelines_are_listed_and_one_is_printed_as_the_file_that_it_was(stub: StubGateway) -> None:
    """What comes out can be applied again, and is the same."""
    stub.respond("GET /pipelines", [applied()])
    stub.respond("GET /pipelines/m", applied())

    assert "regression" in interlock("pipelines").out
    printed = interlock("pipelines", "m").out
    assert parse_pipeline(printed.encode()) == parse_pipeline(FILE.encode())
    assert "holdout" not in printed


def test_no_pipelines_yet(stub: StubGateway) -> None:
    """The next step is named."""
    stub.respond("GET /pipelines", [])

    assert "interlock init" in interlock("pipelines").out


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_has_a_short_option_on_every_level(option: str) -> None:
    """As people type it."""
    assert "interlock runs" in interlock("runs", option).out
    assert "Pipelines and data" in interlock(option).out


def test_the_version_is_that_of_the_package() -> None:
    """To be told in a report of a fault."""
    assert interlock("--version").out == f"interlock {version('interlock-cli')}\n"


def test_apply_says_how_many_stored_files_are_read_again(stub: StubGateway, file: Path) -> None:
    """Of those that the window takes; and nothing where only rules have changed, or the key may not read."""
    before = applied()
    stub.respond("GET /pipelines/m", before)
    stub.respond("GET /datasets/m", [dataset("accepted"), dataset("accepted")])
    file.write_text(FILE.replace("size: {type: number}", "size: {type: integer}"))
    after = {**before, "spec": parse_pipeline(file.read_bytes()).model_dump(mode="json"), "changed": True}
    stub.respond("PUT /pipelines/m", after)
    ended = interlock("apply", file)
    assert ended.code == 0, ended.err
    assert "1 stored file is read again, as it came, for what has changed in data" in ended.out
    assert "interlock datasets m" in ended.out


def test_apply_says_nothing_of_files_that_still_fit(stub: StubGateway, file: Path) -> None:
    """A bound judges files that come later; the stored rows are the same."""
    before = applied()
    stub.respond("GET /pipelines/m", before)
    file.write_text(FILE.replace("size: {type: number}", "size: {type: number, max: 9}"))
    after = {**before, "spec": parse_pipeline(file.read_bytes()).model_dump(mode="json"), "changed": True}
    stub.respond("PUT /pipelines/m", after)
    ended = interlock("apply", file)
    assert (ended.code, "read again" in ended.out) == (0, False)
    assert [each.route for each in stub.requests] == ["GET /pipelines/m", "PUT /pipelines/m"]
