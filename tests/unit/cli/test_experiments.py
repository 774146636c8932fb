"""`experiments`: runs as branches of a real repository, pushed to a bare one."""

import json
import subprocess
from pathlib import Path

import pytest
from interlock_contracts.http import PipelineView, RunAccepted
from interlock_contracts.pipeline_file import parse_pipeline

from tests.support.git_repository import Repository
from tests.unit.cli.conftest import interlock
from tests.unit.cli.recorded_runs import branch, known, recorded, run_number
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import NOW, SPEC, plain


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a repository with one commit, which is pushed."""
    made = Repository(tmp_path / "git")
    made.commit(**{"train.py": "one"})
    made.push()
    return made


def listed(repository: Repository, *words: str) -> list[str]:
    ended = interlock("experiments", "list", "m", "-C", repository.clone, "--json", *words)
    assert ended.code == 0, ended.err
    return [each["branch"] for each in ended.json]


def test_a_run_becomes_a_branch_with_its_files(stub: StubGateway, repository: Repository) -> None:
    """Behind the commit that was trained, which it changes nothing of; each file is what its name says."""
    head = repository.git("rev-parse", "HEAD")
    ended = recorded(stub, repository, 7)
    assert ended.code == 0, ended.err
    tip = repository.git("rev-parse", branch(7), at=repository.bare)

    assert ended.json["written"]
    assert (ended.json["branch"], ended.json["commit"]) == (branch(7), tip)
    assert repository.git("rev-parse", f"{tip}^", at=repository.bare) == head
    names = repository.git("diff", "--name-only", head, tip, at=repository.bare).split()
    folder = "experiments/m/00000007/"
    documents = ["metrics.json", "params.json", "pipeline.yaml", "report.json", "report.md", "run.json"]
    assert names == [folder + name for name in documents]
    texts = {name: repository.git("show", f"{tip}:{folder}{name}", at=repository.bare) for name in documents}
    assert json.loads(texts["metrics.json"]) == {"r2": 0.9}
    assert json.loads(texts["params.json"]) == {"candidate": "forest", "trees": 70}
    assert parse_pipeline(texts["pipeline.yaml"].encode()).digest == SPEC.digest
    assert json.loads(texts["report.json"])["rows"] == 90
    assert "version 7" in texts["report.md"]
    assert json.loads(texts["run.json"])["run_id"] == str(run_number(7))
    said = repository.git("log", "-1", "--format=%an%n%ct%n%B", tip, at=repository.bare)
    assert said.startswith(f"Interlock\n{int(NOW.timestamp()) + 7 * 86400}\nexperiment m 00000007: version 7, passed\n")
    assert said.endswith(f"Interlock-Run: {run_number(7)}")


def test_the_users_tree_index_and_branches_stay_as_they_are(stub: StubGateway, repository: Repository) -> None:
    """With changes that are staged, not staged, and untracked; also where a hook names another index."""
    (repository.clone / "train.py").write_text("two")
    (repository.clone / "new.py").write_text("new")
    repository.git("add", "new.py")
    (repository.clone / "other.py").write_text("other")
    before = [repository.git(*words) for words in (["status", "--porcelain"], ["for-each-ref"], ["diff", "--cached"])]
    assert recorded(stub, repository, 1).code == 0
    assert interlock("experiments", "list", "-C", repository.clone, "--remote", "origin").code == 0
    after = [repository.git(*words) for words in (["status", "--porcelain"], ["for-each-ref"], ["diff", "--cached"])]

    assert [line for line in after[1].splitlines() if "\trefs/heads/" in line] == [
        f"{repository.git('rev-parse', 'HEAD')} commit\trefs/heads/main"
    ]
    assert (after[0], after[2]) == (before[0], before[2])


def test_a_second_time_nothing_is_written(stub: StubGateway, repository: Repository) -> None:
    """Also when the version serves meanwhile; and another clone makes the very same commit."""
    first = recorded(stub, repository, 1).json
    again = recorded(stub, repository, 1, stage="champion").json
    assert (again["written"], again["commit"]) == (False, first["commit"])

    known(stub, 1, repository.git("rev-parse", "HEAD"))
    made = interlock("experiments", "push", run_number(1), "-C", repository.bare, "--json")
    assert not made.json["written"]
    repository.git("update-ref", "-d", f"refs/heads/{branch(1)}", at=repository.bare)
    made = interlock("experiments", "push", run_number(1), "-C", repository.bare, "--json")
    assert (made.json["written"], made.json["commit"]) == (True, first["commit"])


def test_a_shallow_clone_pushes_too(stub: StubGateway, repository: Repository, tmp_path: Path) -> None:
    """As CI systems have it."""
    repository.commit(**{"train.py": "two"})
    repository.push()
    shallow = tmp_path / "shallow"
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.bare}", str(shallow))
    known(stub, 3, repository.git("rev-parse", "HEAD")[:10])
    ended = interlock("experiments", "push", "m/3", "-C", shallow, "--remote", "origin")

    assert ended.code == 0, ended.err
    assert f"{branch(3)} pushed to origin: passed" in ended.out
    assert repository.git("rev-list", "--count", branch(3), at=repository.bare) == "3"


def test_experiments_are_listed_with_their_metrics(stub: StubGateway, repository: Repository) -> None:
    """Newest first, or by a metric; a branch made by hand is none, and no stack is asked."""
    for number, r2 in ((1, 0.7), (2, 0.9), (3, 0.8)):
        repository.commit(**{"train.py": str(number)})
        recorded(stub, repository, number, r2=r2)
    recorded(stub, repository, 4, stage="failed")
    repository.git("push", "--quiet", "origin", "main:experiment/m/by-hand")
    stub.requests.clear()

    assert listed(repository, "--remote", "origin") == [branch(number) for number in (4, 3, 2, 1)]
    assert listed(repository, "--remote", "origin", "--sort=-r2") == [branch(number) for number in (2, 3, 1, 4)]
    assert listed(repository) == []
    shown = interlock("experiments", "list", "-C", repository.bare).out.splitlines()
    assert shown[0].split() == ["branch", "verdict", "version", "r2", "candidate", "ended", "trained"]
    assert shown[2].split()[:5] == [branch(3), "passed", "3", "0.8", "forest"]
    assert stub.requests == []


def test_what_cannot_be_recorded_is_said(stub: StubGateway, repository: Repository) -> None:
    """A run without a commit, one of another repository, one that the gate has not judged."""
    known(stub, 1, None)
    known(stub, 2, "c0ffee" * 6)
    known(stub, 3, repository.git("rev-parse", "HEAD"), stage="registered")
    told = [interlock("experiments", "push", run_number(n), "-C", repository.clone) for n in (1, 2, 3)]

    assert [each.code for each in told] == [1, 1, 1]
    assert "names no commit" in told[0].err
    assert f"this repository has no commit {'c0ffee' * 6}" in told[1].err
    assert "m-v3 is not judged yet" in told[2].err
    given = interlock("experiments", "push", run_number(1), "-C", repository.clone, "--parent", "HEAD~9")
    assert "this repository has no commit HEAD~9" in given.err
    head = repository.git("rev-parse", "HEAD")
    assert interlock("experiments", "push", run_number(1), "-C", repository.clone, "--parent", head).code == 0


@pytest.mark.parametrize("where", ["here", "remote"])
def test_old_experiments_go_by_declaration(stub: StubGateway, repository: Repository, where: str) -> None:
    """The newest that the pipeline file keeps stay; without a declaration all do. A dry run deletes nothing."""
    words = ("--remote", "origin") if where == "remote" else ()
    folder = repository.clone if where == "remote" else repository.bare
    for number in (1, 2, 3):
        recorded(stub, repository, number)
    keeping = interlock("experiments", "prune", "m", "-C", folder, *words)
    assert "declares no retention.experiments" in keeping.out

    spec = SPEC.model_validate(SPEC.model_dump() | {"retention": {"experiments": {"keep_last": 1}}})
    view = PipelineView(name="m", digest=spec.digest, revision=2, applied_at=NOW, changed=True, spec=spec)
    stub.responses["GET /pipelines/m"].clear()
    stub.respond("GET /pipelines/m", plain(view))
    told = interlock("experiments", "prune", "m", "-C", folder, "--dry-run", "--json", *words).json
    assert listed(repository, "--remote", "origin") == [branch(number) for number in (3, 2, 1)]
    done = interlock("experiments", "prune", "m", "-C", folder, "--json", *words).json
    assert sorted(done["deleted"]) == sorted(told["deleted"]) == [branch(1), branch(2)]
    assert listed(repository, "--remote", "origin") == [branch(3)]
    assert interlock("experiments", "prune", "m", "-C", folder, "--json", *words).json["deleted"] == {}


def test_a_merge_that_only_adds_reports_is_the_commit_that_was_trained(
    stub: StubGateway, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it trains nothing again; one with other files is another commit, and so is another model's."""
    trained = repository.commit(**{"train.py": "two"})
    recorded(stub, repository, 1)
    repository.git("fetch", "--quiet", "origin", branch(1))
    repository.git("merge", "--quiet", "--no-ff", "-m", "merged", "FETCH_HEAD")
    merged = repository.git("rev-parse", "HEAD")
    other = repository.commit(**{"train.py": "three"})
    accepted = plain(RunAccepted(run_id=run_number(1), run=f"/runs/{run_number(1)}"))
    stub.respond("POST /models/m/retrain", accepted, status=202)
    stub.respond("POST /models/n/retrain", accepted, status=202)
    monkeypatch.chdir(repository.clone)
    asked = []
    for model, commit in (("m", merged), ("m", other), ("n", merged), ("m", "v1")):
        ended = interlock("retrain", model, "--commit", commit)
        assert ended.code == 0, ended.err
        asked.append(stub.requests[-1].json["commit"])

    assert asked == [trained, other, merged, "v1"]
    assert subprocess.run(["git", "status", "--porcelain"], capture_output=True, check=True).stdout == b""
