"""`apply`, `ingest` and `datasets`."""

from pathlib import Path

import pytest
from interlock_contracts.datasets import Finding
from interlock_contracts.drift import ColumnDrift, DriftView

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import DIGEST, FILE, SPEC, dataset, pipeline


def test_apply_sends_the_file_as_it_is(stub: StubGateway, tmp_path: Path) -> None:
    """The registry gets what the user wrote, and the user hears the revision."""
    (tmp_path / "pipeline.yaml").write_text(FILE)
    stub.respond("PUT /pipelines/m", pipeline())
    ended = interlock("apply", tmp_path / "pipeline.yaml")

    assert ended.code == 0
    assert "applied: revision 1" in ended.out
    assert stub.requests[-1].body.decode() == FILE


def test_an_unchanged_pipeline_is_told_so(stub: StubGateway, tmp_path: Path) -> None:
    """Applying twice is not an error, and changes nothing."""
    (tmp_path / "pipeline.yaml").write_text(FILE)
    stub.respond("PUT /pipelines/m", pipeline(changed=False))

    assert "unchanged" in interlock("apply", tmp_path / "pipeline.yaml").out


def test_apply_names_every_fault_before_it_asks_anybody(stub: StubGateway, tmp_path: Path) -> None:
    """A misspelt key and a wrong type are both told, and nothing is sent."""
    (tmp_path / "pipeline.yaml").write_text(FILE.replace("target", "targte").replace("type: number}", "type: float}"))
    ended = interlock("apply", tmp_path / "pipeline.yaml")

    assert ended.code == 1
    assert "targte" in ended.err
    assert "data.columns.size.type" in ended.err
    assert stub.requests == []


@pytest.mark.usefixtures("stub")
def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    """The parser's own words say where it stopped."""
    (tmp_path / "pipeline.yaml").write_text("name: [")

    assert "is not YAML" in interlock("apply", tmp_path / "pipeline.yaml").err


def test_ingest_waits_for_the_verdict(stub: StubGateway, tmp_path: Path) -> None:
    """The bytes arrive unchanged, and the answer comes when the check is done."""
    (tmp_path / "data.csv").write_text("size;price\n1;2\n")
    stub.respond("POST /datasets/m", dataset("checking"), status=202, headers={"Location": f"/datasets/m/{DIGEST}"})
    stub.respond(f"GET /datasets/m/{DIGEST}", dataset("checking"))
    stub.respond(f"GET /datasets/m/{DIGEST}", dataset("accepted"))
    ended = interlock("ingest", "m", tmp_path / "data.csv")

    assert ended.code == 0
    assert "800 training rows, 200 held-out rows" in ended.out
    assert stub.requests[0].body == b"size;price\n1;2\n"
    assert stub.requests[0].headers["content-type"] == "text/csv"
    assert stub.requests[0].query == "file_name=data.csv"
    assert f"pipeline={SPEC.digest}" in stub.requests[1].query


def test_a_note_goes_with_the_file_and_is_shown(stub: StubGateway, tmp_path: Path) -> None:
    """In the list a file stands with its name."""
    (tmp_path / "data.csv").write_text("size;price\n1;2\n")
    view = dataset("accepted", file_name="data.csv", note="by hand")
    stub.respond("POST /datasets/m", view, status=202)
    stub.respond("GET /datasets/m", [view])
    ended = interlock("ingest", "m", tmp_path / "data.csv", "--note", "by hand")

    assert stub.requests[0].query == "file_name=data.csv&note=by+hand"
    assert "note: by hand" in ended.out
    assert "data.csv" in interlock("datasets", "m").out


def test_a_file_to_be_judged_on_goes_with_its_role(stub: StubGateway, tmp_path: Path) -> None:
    """And is shown as that; another word is no role."""
    (tmp_path / "data.csv").write_text("size;price\n1;2\n")
    view = dataset("accepted", role="evaluation")
    stub.respond("POST /datasets/m", view, status=202)
    stub.respond("GET /datasets/m", [view])
    ended = interlock("ingest", "m", tmp_path / "data.csv", "--role", "evaluation")

    assert stub.requests[0].query == "file_name=data.csv&role=evaluation"
    assert "200 rows to be judged on" in ended.out
    assert "evaluation" in interlock("datasets", "m", "--role", "evaluation").out
    assert stub.requests[-1].query == "role=evaluation"
    assert interlock("ingest", "m", tmp_path / "data.csv", "--role", "test").code == 2
    assert interlock("datasets", "m", "--role", "test").code == 2


def test_drift_and_examples_of_warnings_are_shown(stub: StubGateway, tmp_path: Path) -> None:
    """The columns that have moved, the furthest first; the others are not named."""
    (tmp_path / "data.csv").write_text("size;price\n")
    drift = DriftView(
        against=DIGEST,
        batch=3,
        verdict="large",
        columns=[
            ColumnDrift(column="rooms", verdict="moderate", psi=0.12),
            ColumnDrift(column="color", verdict="stable", psi=0.01),
            ColumnDrift(column="size", verdict="large", psi=0.4),
            ColumnDrift(column="month", verdict="large", psi=9, expected=True),
        ],
    )
    warnings = [Finding(rule="max_psi", column="size", examples=["up to 9: 1% before, 80% now"], message="moved")]
    stub.respond("POST /datasets/m", dataset("accepted", drift=drift, warnings=warnings), status=202)
    ended = interlock("ingest", "m", tmp_path / "data.csv")

    assert "drift against batch 3: size large (PSI 0.40), rooms moderate (PSI 0.12); expected: month" in ended.out
    assert "up to 9: 1% before, 80% now" in ended.out


def test_a_file_that_could_not_be_compared_is_not_said_to_be_alike(stub: StubGateway, tmp_path: Path) -> None:
    """Nothing was measured of a file without a readable column."""
    (tmp_path / "data.csv").write_text("other\n")
    drift = DriftView(against=DIGEST, batch=3, verdict="not_measured", columns=[])
    reasons = [Finding(rule="header", message="no header")]
    stub.respond("POST /datasets/m", dataset("rejected", reasons, drift=drift), status=202)

    assert "drift against batch 3: not measured" in interlock("ingest", "m", tmp_path / "data.csv").out


def test_a_refused_file_says_every_reason(stub: StubGateway, tmp_path: Path) -> None:
    """Column, rule, count and the first lines, and exit code 1."""
    (tmp_path / "data.csv").write_text("size;price\n")
    reasons = [
        Finding(rule="type", column="size", count=27, lines=[2, 1002], message="'size' is no number"),
        Finding(rule="min_rows", count=1, message="1 row, at least 100 are needed"),
    ]
    stub.respond("POST /datasets/m", dataset("rejected", reasons), status=202)
    ended = interlock("ingest", "m", tmp_path / "data.csv")

    assert ended.code == 1
    for part in ("size", "type", "27", "2, 1002", "'size' is no number", "min_rows"):
        assert part in ended.out


def test_with_json_ingest_prints_the_dataset_alone(stub: StubGateway, tmp_path: Path) -> None:
    """Standard output is one document, whatever the verdict."""
    (tmp_path / "data.csv").write_text("x")
    view = dataset("rejected", [Finding(rule="header", message="no header")])
    stub.respond("POST /datasets/m", view, status=202)
    ended = interlock("ingest", "m", tmp_path / "data.csv", "--json")

    assert (ended.code, ended.json) == (1, view)


def test_no_wait_leaves_at_once(stub: StubGateway, tmp_path: Path) -> None:
    """The file is in; its verdict is somebody else's to read."""
    (tmp_path / "data.csv").write_text("x")
    stub.respond("POST /datasets/m", dataset("checking"), status=202)
    ended = interlock("ingest", "m", tmp_path / "data.csv", "--no-wait")

    assert ended.code == 0
    assert "interlock datasets m" in ended.out
    assert len(stub.requests) == 1


def test_waiting_for_a_verdict_ends(stub: StubGateway, tmp_path: Path) -> None:
    """After the timeout the command fails and says how to go on."""
    (tmp_path / "data.csv").write_text("x")
    stub.respond("POST /datasets/m", dataset("checking"), status=202)
    stub.respond(f"GET /datasets/m/{DIGEST}", dataset("checking"))
    ended = interlock("ingest", "m", tmp_path / "data.csv", "--timeout", 0)

    assert ended.code == 1
    assert "no validation result after 0 s" in ended.err


def test_datasets_shows_one_file_by_the_beginning_of_its_digest(stub: StubGateway) -> None:
    """Twelve digits are enough for people; of several verdicts on one file the newest counts."""
    stub.respond("GET /datasets/m", [dataset("accepted"), dataset("rejected")])

    assert DIGEST[:12] in interlock("datasets", "m").out
    assert interlock("datasets", "m", DIGEST[:6], "--json").json == dataset("accepted")
    assert interlock("datasets", "m", "ff").code == 1


def test_datasets_are_listed_by_state_and_text(stub: StubGateway) -> None:
    """As they are asked for, and told where there are none such."""
    stub.respond("GET /datasets/m", [])
    ended = interlock("datasets", "m", "--state", "rejected", "--text", "2013-02", "--limit", 3)

    assert ended.out.endswith("no such files\n")
    assert stub.requests[-1].query == "state=rejected&text=2013-02&limit=3"
    assert interlock("datasets", "m", "--state", "refused").code == 2
