"""`git-tags`: the registry's versions and promotions as annotated tags of a real repository."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import NOW, promotion, version


def git(folder: Path, *words: str) -> str:
    """Run git as its user would, with no settings but these."""
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
    command = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(command, env=os.environ | alone, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository of two commits."""
    folder = tmp_path / "code"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for text in ("one", "two"):
        (folder / "train.py").write_text(text)
        git(folder, "add", "train.py")
        git(folder, "commit", "--quiet", "-m", text)
    return folder


def commits(repository: Path) -> list[str]:
    """Return its commits, the oldest first."""
    return git(repository, "rev-list", "--reverse", "main").split()


def known(stub: StubGateway, trained_at: dict[int, str | None], *promoted: int, refused: tuple[int, ...] = ()) -> None:
    """Let the registry have versions that were trained at commits, and promotions of some of them."""
    stages = {number: "refused" if number in refused else "retired" for number in trained_at}
    stub.respond("GET /models/m/versions", [version(stage, number) for number, stage in reversed(stages.items())])
    for number, commit in trained_at.items():
        details = {"status": "succeeded", "commit": commit}
        stub.respond(f"GET /models/m/versions/{number}", version(stages[number], number, details=details))
    served = [promotion(number, seq) for seq, number in enumerate(promoted, start=1)]
    stub.respond("GET /models/m/promotions", served[::-1])


def mirror(repository: Path, *words: str) -> dict[str, Any]:
    ended = interlock("git-tags", "m", "--repository", repository, "--json", *words)
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


def test_versions_and_promotions_become_annotated_tags(stub: StubGateway, repository: Path) -> None:
    """In GTO's form, at the commits of the runs, with the times of the registry."""
    first, second = commits(repository)
    known(stub, {1: first, 2: second[:12]}, 1, 2, 1)
    written = mirror(repository)["written"]

    assert written == ["m@v1.0.0", "m@v2.0.0", "m#production#1", "m#production#2", "m#production#3"]
    points = [git(repository, "rev-parse", f"refs/tags/{tag}^{{commit}}") for tag in written]
    assert points == [first, second, first, second, first]
    one, moment = git(repository, "cat-file", "tag", "m@v1.0.0"), int(NOW.timestamp())
    assert f"\ntagger Interlock <interlock@localhost> {moment} +0000\n" in one
    assert "\n\nRegistering artifact m version v1.0.0\n\nInterlock-Run: " in one
    other = git(repository, "cat-file", "tag", "m#production#2")
    assert "\n\nAssigning stage production to artifact m version v2.0.0\n\nInterlock-Cause: gate" in other


def test_a_second_time_nothing_is_written(stub: StubGateway, repository: Path) -> None:
    """And what is new is added to what is there, without asking about that again."""
    first, second = commits(repository)
    known(stub, {1: first}, 1)
    mirror(repository)
    before = git(repository, "show-ref", "--tags")
    stub.requests.clear()
    assert mirror(repository)["written"] == []
    assert "GET /models/m/versions/1" not in [each.route for each in stub.requests]
    assert git(repository, "show-ref", "--tags") == before

    stub.responses.clear()
    known(stub, {1: first, 2: second}, 1, 2)
    assert mirror(repository)["written"] == ["m@v2.0.0", "m#production#2"]
    assert before in git(repository, "show-ref", "--tags", "m@v1.0.0", "m#production#1")


def test_versions_of_one_commit_have_commits_of_their_own(stub: StubGateway, repository: Path) -> None:
    """New data and no new code: an empty commit behind it, on no branch, with the same files."""
    first, second = commits(repository)
    known(stub, {1: first, 2: first, 3: first, 4: second}, 2)
    mirror(repository)
    points = [git(repository, "rev-parse", f"m@v{number}.0.0^{{commit}}") for number in (1, 2, 3, 4)]

    assert points[0] == first
    assert points[3] == second
    assert len(set(points)) == 4
    assert [git(repository, "rev-parse", f"{each}^") for each in points[1:3]] == [first, first]
    assert git(repository, "diff", "--stat", first, points[2]) == ""
    assert git(repository, "rev-parse", "m#production#1^{commit}") == points[1]
    assert commits(repository) == [first, second]


def test_the_same_facts_make_the_same_tags_elsewhere(stub: StubGateway, repository: Path, tmp_path: Path) -> None:
    """So two jobs that push at once push the same."""
    first, second = commits(repository)
    known(stub, {1: first, 2: first, 3: second}, 1, 2)
    other = tmp_path / "other.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(other))
    mirror(repository)
    mirror(other)

    assert git(repository, "show-ref", "--tags") == git(other, "show-ref", "--tags")


def test_what_cannot_be_placed_is_named(stub: StubGateway, repository: Path) -> None:
    """No commit, one of another repository, a branch, which moves, and what looks like an option."""
    known(stub, {1: None, 2: "c0ffee" * 6, 3: "main", 4: "--all", 5: commits(repository)[0]}, 1, 5, refused=(5,))
    found = mirror(repository)

    assert found["written"] == []
    assert found["left_out"] == {
        "1": "its run names no commit",
        "2": f"this repository has no commit {'c0ffee' * 6}",
        "3": "this repository has no commit main",
        "4": "this repository has no commit --all",
    }
    told = interlock("git-tags", "m", "-C", repository)
    assert "version 1 has no tag: its run names no commit" in told.out
    assert "nothing is missing: 0 tags of m are there" in told.out


def test_a_tag_that_is_there_is_never_moved(stub: StubGateway, repository: Path) -> None:
    """Whoever made it; promotions follow it."""
    first, second = commits(repository)
    git(repository, "tag", "m@v1.0.0", second)
    known(stub, {1: first}, 1)

    assert mirror(repository)["written"] == ["m#production#1"]
    assert git(repository, "rev-parse", "m@v1.0.0") == second
    assert git(repository, "rev-parse", "m#production#1^{commit}") == second


def test_a_hooks_own_repository_is_not_meant(
    stub: StubGateway, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git names it in the environment of every hook."""
    elsewhere = tmp_path / "elsewhere.git"
    git(tmp_path, "init", "--quiet", "--bare", str(elsewhere))
    known(stub, {1: commits(repository)[0]})
    monkeypatch.setenv("GIT_DIR", str(elsewhere))

    assert mirror(repository)["written"] == ["m@v1.0.0"]


def test_a_dry_run_writes_nothing(stub: StubGateway, repository: Path) -> None:
    """It names what would be."""
    known(stub, {1: commits(repository)[0]}, 1)

    assert mirror(repository, "--dry-run")["written"] == ["m@v1.0.0", "m#production#1"]
    assert git(repository, "tag") == ""


def test_a_remote_gets_what_it_lacks(stub: StubGateway, repository: Path, tmp_path: Path) -> None:
    """From clones without tags, as CI has them; what was pushed from elsewhere is taken over."""
    first, second = commits(repository)
    origin = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(origin))
    known(stub, {1: first}, 1)
    for number, expected in ((1, ["m@v1.0.0", "m#production#1"]), (2, [])):
        clone = tmp_path / f"clone-{number}"
        git(tmp_path, "clone", "--quiet", "--no-tags", str(origin), str(clone))
        assert mirror(clone, "--remote", "origin")["written"] == expected
    assert git(origin, "tag", "--list").split() == ["m#production#1", "m@v1.0.0"]

    git(repository, "tag", "m@v1.0.0", second)
    ended = interlock("git-tags", "m", "-C", repository, "--remote", origin)
    assert ended.code == 1
    assert "git fetch failed" in ended.err
    assert git(origin, "rev-parse", "m@v1.0.0^{commit}") == first


def test_no_repository_is_said(stub: StubGateway, tmp_path: Path) -> None:
    """With git's own words."""
    known(stub, {})
    ended = interlock("git-tags", "m", "--repository", tmp_path)

    assert ended.code == 1
    assert "not a git repository" in ended.err
