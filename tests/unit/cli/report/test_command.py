"""`report`: a run as Markdown and as a page of its own."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from interlock_contracts.datasets import Finding
from interlock_contracts.manifest import CandidateScores, TrainingManifest, Trial
from interlock_contracts.report import (
    ConfusionMatrix,
    FeatureImportance,
    GainReport,
    GateCheck,
    GateReport,
    Histogram,
    PermutationImportance,
    Plots,
    PredictedActual,
    RocCurve,
    SliceReport,
)

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import ARTIFACT, DIGEST, NOW, RUN, dataset, plain, run, version

EVIL = "<script>alert(1)</script> | `x`"
BELL = Histogram(edges=[-2.0, -1.0, 0.0, 1.0, 2.0], counts=[1, 8, 8, 1], above=3)
REGRESSION = Plots(predicted=PredictedActual(rows=9000, actual=[1.0, 2.0], predicted=[1.1, 1.9]), residuals=BELL)
CLASSIFICATION = Plots(
    confusion=ConfusionMatrix(labels=["no", EVIL], counts=[[5, 1], [2, 4]]),
    roc=[RocCurve(label="no", rows=6, auc=0.91, false_positive_rate=[0, 0.5, 1], true_positive_rate=[0, 0.9, 1])],
)


def report(plots: Plots) -> Any:
    return plain(
        GateReport(
            passed=True,
            checks=[GateCheck(passed=True, text="r2 is 0.9, as required at least 0.6")],
            notes=["weakest by color: red (40 rows) with r2 0.7"],
            rows=9000,
            metrics={"r2": 0.9, "bias": None},
            metric="r2",
            confidence=0.95,
            min_improvement=0.0,
            champion=GainReport(
                version=1, candidate=0.9, champion=0.8, metrics={"r2": 0.8}, gain=0.1, lower=0.08, resampled=BELL
            ),
            slices={
                "color": [
                    SliceReport(value=EVIL, rows=90, metrics={"r2": 0.7}, champion={"r2": 0.6}, interval=(0.65, 0.74))
                ]
            },
            plots=plots,
            importance=PermutationImportance(
                metric="r2",
                rows=500,
                repeats=5,
                features=[
                    FeatureImportance(feature=EVIL, mean=0.4, deviation=0.02),
                    FeatureImportance(feature="size", mean=-0.001, deviation=0.003),
                ],
                omitted=7,
            ),
        )
    )


MANIFEST = plain(
    TrainingManifest(
        status="succeeded",
        artifact=ARTIFACT,
        winner="xgboost",
        metric="rmse",
        score=1.5,
        candidates=[CandidateScores(candidate="xgboost", scores=[1.4, 1.6], mean=1.5, fit_seconds=2)],
        trials=[
            Trial(number=n, params={"depth": n}, score=score, fit_seconds=1, state="complete")
            for n, score in enumerate((9.0, 1.5, 1.6))
        ],
        seed=42,
        commit="abc123",
    )
)


@pytest.fixture
def told(stub: StubGateway) -> StubGateway:
    """Return a gateway that knows a run and its version, measured by today's gate."""
    stub.respond(f"GET /runs/{RUN}", run("succeeded", version=2, ended_at=NOW))
    stub.respond("GET /models/m/versions/2", version("champion", 2, report=report(REGRESSION), details=MANIFEST))
    return stub


@pytest.mark.usefixtures("told")
def test_a_report_is_a_text_and_a_page(tmp_path: Path) -> None:
    """Both are named by model and version, in a folder that is made for them."""
    ended = interlock("report", RUN, "--to", tmp_path / "reports")

    assert ended.code == 0
    assert ended.out.split() == [str(tmp_path / "reports" / name) for name in ("m-v2.md", "m-v2.html")]


def test_rows_that_are_left_out_of_the_comparison_are_said(stub: StubGateway) -> None:
    """The champion's metrics stand beside the candidate's, and are of fewer rows."""
    partly = report(REGRESSION)
    partly["champion"] |= {"rows": 1200, "trained_on": 7800}
    stub.respond("GET /models/m/versions/2", version("champion", 2, report=partly, details=MANIFEST))
    text = interlock("report", "m/2", "--stdout").out

    assert "(0.9 against 0.8) on the 1,200 rows that neither, or both, have trained on; with 95%" in text
    assert "| metric | value | champion, version 1, on 1,200 rows |" in text


@pytest.mark.usefixtures("told")
def test_the_markdown_says_the_verdict_and_how_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdict, gain with its bound, metrics, slices beside the champion's, the best trials first, data and commit."""
    monkeypatch.setenv("INTERLOCK_CONSOLE_URL", "http://console/")
    text = interlock("report", "m/2", "--stdout").out

    assert text.startswith("## m version 2 is serving ✓")
    assert "| ✓ | r2 is 0.9, as required at least 0.6 |" in text
    assert "- weakest by color: red (40 rows) with r2 0.7" in text
    assert "**+0.1** r2 over version 1 (0.9 against 0.8); with 95% confidence above **+0.08**" in text
    assert "`-2 ▁██▁ 2` (3 above)" in text
    assert "| metric | value | champion, version 1 |" in text
    assert "| r2 | 0.9 | 0.8 |" in text
    assert "| bias | — | — |" in text
    assert "| rows | r2 | 95% interval | champion |" in text
    assert "| 90 | 0.7 | 0.65 … 0.74 | 0.6 |" in text
    assert [int(number) for number in re.findall(r"^\| (\d) \| [\d.]+ \| complete", text, re.MULTILINE)] == [1, 2, 0]
    assert "| size | -0.001 | ± 0.003 |" in text
    assert "mean and standard deviation of 5 shufflings" in text
    assert "7 more features are omitted." in text
    assert "| commit | abc123 |" in text
    assert f"(http://console/runs/{RUN})" in text


@pytest.mark.parametrize(
    ("plots", "drawn"),
    [
        (REGRESSION, ["gain", "predicted", "residuals", "importance", "trials"]),
        (CLASSIFICATION, ["gain", "confusion", "roc", "importance", "trials"]),
    ],
    ids=["regression", "classification"],
)
def test_the_page_needs_nothing_besides_itself(
    stub: StubGateway, tmp_path: Path, plots: Plots, drawn: list[str]
) -> None:
    """Every plot is SVG in the page, in the page's colours, with ids of its own; nothing is loaded from anywhere."""
    stub.respond("GET /models/m/versions/2", version("champion", 2, report=report(plots), details=MANIFEST))
    interlock("report", "m/2", "--to", tmp_path)
    page = (tmp_path / "m-v2.html").read_text()
    found = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    ids = [identity for each in found for identity in re.findall(r'\bid="([^"]+)"', each)]

    assert [ET.fromstring(each).get("aria-label") for each in found] == drawn
    assert len(ids) == len(set(ids))
    assert all("var(--ink)" in each and "#010101" not in each for each in found)
    assert not re.search(r'(src|href)="(?!#|http://(127|console))', re.sub(r"xmlns\S+", "", page))


def test_what_people_call_their_data_is_text(stub: StubGateway, tmp_path: Path) -> None:
    """A label or a category with markup in it is shown, not obeyed, in either form."""
    stub.respond("GET /models/m/versions/2", version("champion", 2, report=report(CLASSIFICATION), details=MANIFEST))
    interlock("report", "m/2", "--to", tmp_path)

    assert "<script>" not in (tmp_path / "m-v2.html").read_text()
    assert "<script>" not in (tmp_path / "m-v2.md").read_text()
    assert r"\<script\>alert(1)\</script\> \| \`x\`" in (tmp_path / "m-v2.md").read_text()


def test_a_comment_is_never_too_long(stub: StubGateway) -> None:
    """What does not fit is left out with a word, from the end: the verdict stands first."""
    wide = GateReport(
        metrics={"r2": 0.9},
        metric="r2",
        slices={
            f"column{number}": [SliceReport(value=f"{each}" * 300, rows=1) for each in range(10)]
            for number in range(40)
        },
    )
    stub.respond("GET /models/m/versions/2", version("refused", 2, report=plain(wide)))
    text = interlock("report", "m/2", "--stdout").out

    assert len(text) <= 65_536
    assert "refused by the gate ✗" in text
    assert "Truncated to the size limit" in text


def test_warnings_about_the_newest_file_are_told(stub: StubGateway) -> None:
    """Of the files it was trained on, the one received last."""
    files = [
        dataset("accepted", batch=4, warnings=[Finding(rule="max_psi", column="size", message="'size' has moved")]),
        {
            **dataset("accepted", batch=5, warnings=[Finding(rule="nan", message="not of this model")]),
            "digest": "e" * 64,
        },
    ]
    stub.respond("GET /models/m/versions/2", version("champion", 2, report=report(REGRESSION), datasets=[DIGEST]))
    stub.respond(f"GET /runs/{RUN}", run("succeeded", version=2, ended_at=NOW))
    stub.respond("GET /datasets/m", files)
    out = interlock("report", "m/2", "--stdout").out

    assert "Warnings about the newest file, batch 4" in out
    assert "| size | 'size' has moved |" in out
    assert "not of this model" not in out


def test_an_older_report_has_fewer_sections(stub: StubGateway) -> None:
    """A gate of a version before told no plots, a version of before no details: what is known is told."""
    stub.respond("GET /models/m/versions/2", version("passed", 2, report={"passed": True, "reasons": ["r2 is fine"]}))
    text = interlock("report", "m/2", "--stdout").out

    assert "awaits approval" in text
    assert "Gain" not in text
    assert "importance" not in text


def test_an_imported_model_is_told_as_such(stub: StubGateway) -> None:
    """With where it is from, the columns that it leaves aside, and what the gate cannot know of it."""
    source = {"flavour": "xgboost", "digest": DIGEST, "run_id": "abc", "ignored": ["color"]}
    details = {"status": "succeeded", "artifact": {"sha256": DIGEST, "bytes": 1}, "imported": source}
    told = {"passed": True, "reasons": ["r2 is fine"]}
    stub.respond("GET /models/m/versions/2", version("passed", 2, report=told, details=details))
    text = interlock("report", "m/2", "--stdout").out

    assert "Imported model" in text
    assert f"flavour xgboost, run abc, SHA-256 of the upload {DIGEST[:12]}" in text
    assert "the gate cannot prove that it has not seen the rows that it is judged on" in text
    assert "It does not take: color." in text


def test_a_run_that_made_no_model_says_why(stub: StubGateway, tmp_path: Path) -> None:
    """There is a report of a failure, too; a run that goes on has none yet, and what is no run is wrong usage."""
    stub.respond(f"GET /runs/{RUN}", run("failed", reason="out of memory", ended_at=NOW))
    stub.respond(f"GET /runs/{RUN}", run("running"))
    ended = interlock("report", RUN, "--to", tmp_path, "--json")
    going = interlock("report", RUN)

    assert ended.json["version"] is None
    assert "the run failed ✗" in Path(ended.json["md"]).read_text()
    assert (going.code, f"interlock watch {RUN}" in going.err) == (1, True)
    assert interlock("report", "latest").code == 2
