"""`report --comment`: one comment of a pull or merge request, edited and never added again."""

from collections.abc import Iterator

import pytest
from interlock_cli.report.pages import COMMENT
from interlock_contracts.report import GateReport, SliceReport

from tests.support.forge import BOT, PERSON, Forge, running_forge
from tests.unit.cli.conftest import Ended, interlock
from tests.unit.cli.report.test_command import REGRESSION, report
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import NOW, RUN, plain, run, version

MARK = "<!-- interlock report: m -->\n"
JOBS = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN", "GITHUB_REF", "CI_API_V4_URL", "CI_PROJECT_ID")
FORGES = pytest.mark.parametrize("kind", ["github", "gitlab"])


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    for name in (*JOBS, "GITLAB_TOKEN", "CI_MERGE_REQUEST_IID"):
        monkeypatch.delenv(name, raising=False)
    with running_forge() as opened:
        yield opened


@pytest.fixture(autouse=True)
def ended_run(stub: StubGateway) -> None:
    stub.respond(f"GET /runs/{RUN}", run("refused", version=2, ended_at=NOW))
    stub.respond("GET /models/m/versions/2", version("refused", 2, report=report(REGRESSION)))


def comment(monkeypatch: pytest.MonkeyPatch, forge: Forge, kind: str, number: str = "5", **changed: str) -> Ended:
    for name, value in (forge.variables(kind, number) | changed).items():
        monkeypatch.setenv(name, value)
    return interlock("report", RUN, "--comment", kind)


@FORGES
def test_a_second_report_edits_the_comment(kind: str, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it stands on a later page; other requests and other people's comments stay as they are."""
    before = [forge.write("5", f"nice {number}") for number in range(150)]
    elsewhere = forge.write("6", MARK, by=BOT)
    assert comment(monkeypatch, forge, kind).code == 0
    forge.comments[max(forge.comments)]["body"] = MARK + "an older report"
    ended = comment(monkeypatch, forge, kind)

    assert ended.code == 0
    assert len(forge.bodies("5")) == len(before) + 1
    assert forge.bodies("5")[-1].startswith(MARK + "## m version 2 was refused by the gate")
    assert forge.comments[elsewhere]["body"] == MARK
    assert forge.comments[before[0]]["body"] == "nice 0"


@FORGES
def test_somebody_elses_comment_with_the_mark_is_left_alone(
    kind: str, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its author could write "passed" over the report."""
    forged = forge.write("5", MARK + "all is well", by=PERSON)
    for _ in range(2):
        assert comment(monkeypatch, forge, kind).code == 0

    assert forge.comments[forged]["body"] == MARK + "all is well"
    assert len(forge.bodies("5")) == 2


def test_a_person_s_token_finds_its_own_comment(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of GitHub Actions the token is somebody's, and the comment is no bot's."""
    forge.app = False
    for _ in range(2):
        assert comment(monkeypatch, forge, "github").code == 0

    assert len(forge.bodies("5")) == 1


def test_the_run_of_a_commit_is_found(stub: StubGateway, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    """So no job has to hand the run's id to the next."""
    for name, value in forge.variables("github", "5").items():
        monkeypatch.setenv(name, value)
    stub.respond("GET /runs", [run("refused", version=2, ended_at=NOW)])
    ended = interlock("report", "m", "--commit", "f00d", "--comment", "github")

    assert ended.code == 0
    assert "tag=commit%3Af00d" in next(each.query for each in stub.requests if each.route == "GET /runs")
    assert f"{forge.url}/acme/models/pull/5#issuecomment-1" in ended.out


@pytest.mark.parametrize(("kind", "branch"), [("github", {"GITHUB_REF": "refs/heads/main"}), ("gitlab", {})])
def test_a_job_for_a_branch_has_nothing_to_comment_on(
    kind: str, branch: dict[str, str], forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same job runs after the merge, and is no failure there."""
    ended = comment(monkeypatch, forge, kind, "" if kind == "gitlab" else "5", **branch)

    assert (ended.code, forge.asked) == (0, [])
    assert "not for a pull or merge request" in ended.out


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("github", "GITHUB_REF"),
        ("github", "GITHUB_REPOSITORY"),
        ("github", "GITHUB_TOKEN"),
        ("gitlab", "CI_PROJECT_ID"),
        ("gitlab", "CI_API_V4_URL"),
        ("gitlab", "GITLAB_TOKEN"),
    ],
)
def test_a_missing_variable_is_named(kind: str, missing: str, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    """With where it comes from."""
    ended = comment(monkeypatch, forge, kind, **{missing: ""})

    assert ended.code == 1
    assert f"{missing} is not set" in ended.err


@pytest.mark.parametrize(
    ("kind", "changed", "told"),
    [
        ("github", {"GITHUB_TOKEN": "wrong"}, "is refused, 401: Bad credentials"),
        ("gitlab", {"GITLAB_TOKEN": "wrong"}, "is refused, 401: 401 Unauthorized"),
        ("github", {"GITHUB_REPOSITORY": "acme/other"}, "is refused, 404: Not Found"),
        ("gitlab", {"CI_API_V4_URL": "forge.example"}, "'forge.example' is no address of an API"),
    ],
)
def test_a_refusal_is_told_with_its_reason(
    kind: str, changed: dict[str, str], told: str, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And without the token."""
    ended = comment(monkeypatch, forge, kind, **changed)

    assert (ended.code, forge.comments) == (1, {})
    assert told in ended.err
    assert "wrong" not in ended.err


def test_a_forge_that_does_not_answer_may_later(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3, as of the gateway."""
    ended = comment(monkeypatch, forge, "github", GITHUB_API_URL="http://127.0.0.1:9")

    assert ended.code == 3
    assert "nothing answers at http://127.0.0.1:9" in ended.err


def test_two_outputs_at_once_are_wrong_usage() -> None:
    """Which of them was meant?"""
    assert interlock("report", RUN, "--stdout", "--comment", "github").code == 2


def test_mark_and_report_are_together_no_longer_than_a_comment(
    stub: StubGateway, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub refuses what is longer."""
    slices = {f"column{number}": [SliceReport(value="v" * 3000, rows=1)] * 10 for number in range(9)}
    wide = plain(GateReport(metrics={"r2": 0.9}, metric="r2", slices=slices))
    stub.responses["GET /models/m/versions/2"].clear()
    stub.respond("GET /models/m/versions/2", version("refused", 2, report=wide))
    assert comment(monkeypatch, forge, "github").code == 0
    (body,) = forge.bodies("5")

    assert body.startswith(MARK)
    assert "Truncated to the size limit" in body
    assert len(body) <= COMMENT
