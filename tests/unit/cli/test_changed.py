"""`changed`: what a push has changed of watched paths, decided by content in a real repository."""

from pathlib import Path

import pytest

from tests.support.git_repository import Repository
from tests.unit.cli.conftest import Ended, interlock

ZEROS = "0" * 40
MAIN = "refs/heads/main"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Return a repository with one commit, in whose bare one commands run, as a hook does."""
    made = Repository(tmp_path)
    made.commit(pipeline="1", **{"train/a": "1"}, README="1")
    made.push()
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(made.bare)
    return made


def changed(old: str, new: str, ref: str = MAIN, *more: str) -> Ended:
    return interlock("changed", old, new, ref, "--path", "pipeline", "--path", "./train/", "--json", *more)


def paths(ended: Ended) -> list[str]:
    assert ended.code == (0 if ended.json["changed"] else 1)
    found: list[str] = ended.json["paths"]
    return found


def test_a_push_of_several_commits_counts_as_a_whole(repository: Repository) -> None:
    """Whichever of them it was; a change that is taken back in the same push is none."""
    first = repository.git("rev-parse", "HEAD")
    repository.commit(**{"train/b": "1"})
    second = repository.commit(README="2")
    repository.commit(pipeline="2")
    third = repository.commit(pipeline="1")
    repository.push()

    assert paths(changed(first, second)) == ["./train/"]
    assert paths(changed(second, third)) == []


def test_another_path_is_no_change(repository: Repository) -> None:
    """Also one whose name begins as a watched one does."""
    first = repository.git("rev-parse", "HEAD")
    second = repository.commit(README="2", pipelines="2", training="2")
    repository.push()

    assert paths(changed(first, second)) == []


def test_a_forced_push_is_judged_by_its_content(repository: Repository) -> None:
    """A reworded commit is another commit with the same files, and a rewritten one may have others."""
    first = repository.commit(pipeline="2")
    repository.push()
    reworded = repository.commit("--amend", "--message", "reworded")
    repository.push()
    rewritten = repository.commit("--amend", pipeline="3")
    repository.push()

    assert first != reworded
    assert paths(changed(first, reworded)) == []
    assert paths(changed(reworded, rewritten)) == ["pipeline"]


def test_a_merge_brings_what_its_branch_has_changed(repository: Repository) -> None:
    """Though the merge itself changes nothing."""
    first = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.commit(**{"train/a": "2"})
    repository.commit(README="2")
    repository.git("checkout", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-ff", "topic")
    repository.push()

    assert paths(changed(first, repository.git("rev-parse", "HEAD"))) == ["./train/"]


def test_a_new_branch_is_compared_with_where_it_left_the_default_branch(repository: Repository) -> None:
    """Not with its last commit alone, nor with what the default branch has become since."""
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.commit(**{"train/a": "2"})
    topic = repository.commit(README="2")
    repository.git("checkout", "--quiet", "main")
    repository.commit(pipeline="9")
    for ref in ("main", "topic"):
        repository.push(ref)

    assert paths(changed(ZEROS, topic, "refs/heads/topic")) == ["./train/"]
    assert paths(changed(ZEROS, topic, "refs/heads/topic", "--default", "main")) == ["./train/"]


def test_the_first_push_of_the_default_branch_changes_everything(repository: Repository) -> None:
    """So does a branch without a common past."""
    first = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "--quiet", "--orphan", "other")
    orphan = repository.commit("--message", "another root")
    repository.push("other")

    assert paths(changed(ZEROS, first)) == ["pipeline", "./train/"]
    assert paths(changed(ZEROS, orphan, "refs/heads/other")) == ["pipeline", "./train/"]


def test_tags_and_deleted_branches_change_nothing(repository: Repository) -> None:
    """No code has moved."""
    first = repository.git("rev-parse", "HEAD")
    second = repository.commit(pipeline="2")
    repository.git("tag", "--annotate", "v1", "--message", "v1")
    repository.push("v1")
    repository.push()

    assert paths(changed(ZEROS, repository.git("rev-parse", "v1"), "refs/tags/v1")) == []
    assert paths(changed(first, second, "refs/tags/v1")) == []
    assert paths(changed(first, ZEROS)) == []


def test_a_deleted_file_is_a_change_and_the_whole_repository_can_be_watched(repository: Repository) -> None:
    """What is gone has no content; `.` is everything."""
    first = repository.git("rev-parse", "HEAD")
    repository.git("rm", "--quiet", "pipeline")
    second = repository.commit()
    repository.push()

    assert paths(changed(first, second)) == ["pipeline"]
    assert interlock("changed", first, second, MAIN, "--path", ".").code == 0
    assert "nothing of README changed" in interlock("changed", first, second, MAIN, "--path", "README").out


@pytest.mark.parametrize("wrong", ["f" * 40, "--help", "main:pipeline", ""])
def test_what_is_no_commit_is_wrong_usage(repository: Repository, wrong: str) -> None:
    """Neither changed nor unchanged: a clone may be shallow, or a variable empty."""
    first = repository.git("rev-parse", "HEAD")
    arguments = ["changed", "--path", "pipeline", "--", first, wrong, MAIN]

    assert interlock(*arguments).code == 2


def test_outside_of_a_repository_nothing_can_be_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exit code of its own, so that no hook takes it for unchanged."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert interlock("changed", "a" * 40, "b" * 40, MAIN, "--path", "x").code == 2
