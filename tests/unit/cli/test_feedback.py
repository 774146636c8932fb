"""`feedback` and `quality`: what turned out to be true, in; how good the answers were, out."""

from pathlib import Path

import pytest
from interlock_client.operations import quality
from interlock_contracts.quality import FeedbackAccepted, FeedbackWarning, QualityBucket, QualityView, VersionQuality

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import NOW, plain

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
TAKEN = plain(FeedbackAccepted(accepted=1))


@pytest.fixture
def taking(stub: StubGateway) -> StubGateway:
    stub.respond("POST /models/m/feedback", TAKEN)
    return stub


def test_one_truth_is_sent_as_it_is_written(taking: StubGateway) -> None:
    """The gateway reads it, as it reads every cell; with --json the answer is the gateway's own."""
    ended = interlock("feedback", "m", f"{ID}/0", "37", "--json")

    assert taking.requests[-1].json == {"feedback": [{"prediction": f"{ID}/0", "actual": "37"}]}
    assert ended.json == TAKEN


def test_a_file_of_truths_goes_in_several_requests(
    taking: StubGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Other columns stay at home."""
    monkeypatch.setattr(quality, "CHUNK_ENTRIES", 2)
    (tmp_path / "actuals.csv").write_text(f"actual,note,prediction\n1.5,a,{ID}/0\nmany,b,{ID}/1\n-2,c,{ID}/2\n")
    ended = interlock("feedback", "m", "--file", tmp_path / "actuals.csv")

    sent = [entry for asked in taking.requests for entry in asked.json["feedback"]]
    assert [entry["actual"] for entry in sent] == ["1.5", "many", "-2"]
    assert [entry["prediction"] for entry in sent] == [f"{ID}/{n}" for n in range(3)]
    assert (ended.code, ended.out.splitlines()[0]) == (0, "2 accepted; next: interlock quality m")


def test_a_refused_row_is_named_and_the_exit_code_tells(taking: StubGateway) -> None:
    """A script notices."""
    taking.responses.pop("POST /models/m/feedback")
    fault = {"row": 0, "field": "actual", "message": "must be a number"}
    taking.respond_error("POST /models/m/feedback", 422, "row 0, field 'actual': must be a number", errors=[fault])
    ended = interlock("feedback", "m", f"{ID}/0", "many")

    assert ended.code == 1
    assert "row 0, field 'actual': must be a number" in ended.err


def test_what_the_gateway_finds_unusual_is_shown(stub: StubGateway) -> None:
    """A label that nobody knows, and truths that the log's sample leaves out."""
    warning = FeedbackWarning(row=0, field="actual", message="'maybe' is no label")
    stub.respond("POST /models/m/feedback", plain(FeedbackAccepted(accepted=1, unsampled=1, warnings=[warning])))
    out = interlock("feedback", "m", f"{ID}/0", "1").out

    assert "warning: row 0, actual: 'maybe' is no label" in out
    assert "1 of them belong to requests outside of the prediction log's sample" in out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,actual\na,1\n", "must have the columns prediction_id and actual"),
        ("prediction,actual\n", "no entries"),
        ("", "must have"),
    ],
)
def test_a_file_that_holds_no_truths_is_told_before_anything_is_sent(
    taking: StubGateway, text: str, words: str, tmp_path: Path
) -> None:
    """The words say what would be right."""
    (tmp_path / "actuals.csv").write_text(text)
    ended = interlock("feedback", "m", "--file", tmp_path / "actuals.csv")

    assert ended.code == 1
    assert words in ended.err
    assert not taking.requests


@pytest.mark.parametrize("words", [["m"], ["m", f"{ID}/0"], ["m", f"{ID}/0", "1", "--file", "x.csv"]])
def test_one_truth_or_a_file_and_nothing_between(taking: StubGateway, words: list[str]) -> None:
    """Half a truth is a mistake of the command line."""
    assert interlock("feedback", *words).code == 2
    assert not taking.requests


def test_quality_is_a_table_by_version(stub: StubGateway) -> None:
    """Metrics that a version does not have are dashes; what has no row is told."""
    bucket = QualityBucket(start=NOW, answered=10, logged=8, joined=4, coverage=0.5, n=4, metrics={"mae": 1.25})
    versions = [
        VersionQuality(version=2, answered=10, dropped=2, logged=8, joined=4, coverage=0.5, metrics={"mae": 1.25}),
        VersionQuality(version=1, answered=3, logged=3, coverage=0.0, buckets=[bucket]),
    ]
    view = QualityView(model="m", since=NOW, until=NOW, bucket_seconds=3600, unmatched=7, versions=versions)
    stub.respond("GET /models/m/quality", plain(view))
    lines = interlock("quality", "m", "--window", "7d").out.splitlines()

    assert stub.requests[-1].query == "window=7d"
    assert lines[1].split() == ["version", "answered", "logged", "dropped", "with", "ground", "truth", "mae"]
    assert [line.split() for line in lines[2:4]] == [
        ["2", "10", "8", "2", "4", "(50%)", "1.25"],
        ["1", "3", "3", "0", "0", "(0%)", "-"],
    ]
    assert "7 ground-truth values belong to rows outside of the prediction log" in lines[4]
    assert interlock("quality", "m", "--json").json == plain(view)

    by_time = interlock("quality", "m", "--bucket", "1h").out.splitlines()
    assert by_time[1].split()[:3] == ["version", "from", "answered"]
    assert by_time[2].split()[0] == "1"


def test_a_model_that_nobody_asked_has_no_quality(stub: StubGateway) -> None:
    """The table is empty, and the next step is said."""
    stub.respond("GET /models/m/quality", plain(QualityView(model="m", since=NOW, until=NOW, bucket_seconds=60)))

    assert "interlock predict m" in interlock("quality", "m").out
