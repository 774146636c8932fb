"""`branches`: the order of branches in a bare repository with the hook, and in a clone as a CI job has it."""

from pathlib import Path

import pytest

from tests.support.git_repository import Repository
from tests.unit.cli.conftest import Ended, interlock
from tests.unit.cli.recorded_runs import branch, known, recorded
from tests.unit.cli.stub_gateway import StubGateway

ZEROS = "0" * 40


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a repository with a branch dev."""
    made = Repository(tmp_path / "git")
    made.commit(**{"train.py": "one"})
    made.push("main:dev")
    return made


def experiment(stub: StubGateway, repository: Repository, number: int, stage: str = "passed") -> None:
    """Change the code on a branch of its own, and record the run that was trained there."""
    repository.git("checkout", "--quiet", "-B", f"topic-{number}", "origin/dev")
    repository.commit(**{f"part-{number}.py": str(number)})
    ended = recorded(stub, repository, number, stage)
    assert ended.code == 0, ended.err


def merge(repository: Repository, number: int, *words: str) -> str:
    repository.git("fetch", "--quiet", "origin")
    repository.git("checkout", "--quiet", "-B", "dev", "origin/dev")
    repository.git("merge", "--quiet", "--no-ff", "-m", "merged", *words, f"origin/{branch(number)}")
    return repository.git("rev-parse", "HEAD")


def checked(repository: Repository, source: str, name: str, *words: str) -> Ended:
    """Check what a push of ``source`` to a branch would do, as its hook does: the objects are there already."""
    heads = repository.git("for-each-ref", "--format=%(refname)", at=repository.bare).split()
    old = at(repository, name) if f"refs/heads/{name}" in heads else ZEROS
    repository.push(f"{source}:refs/pushed/now")
    new = at(repository, "refs/pushed/now")
    return interlock("branches", "check", old, new, f"refs/heads/{name}", "-C", repository.bare, *words)


def refused(repository: Repository, source: str, name: str) -> str:
    """Return what is said of a push that is refused."""
    ended = checked(repository, source, name)
    assert ended.code == 1, ended.out
    return ended.err


def at(repository: Repository, name: str) -> str:
    return repository.git("rev-parse", name, at=repository.bare)


def test_an_experiment_goes_the_whole_way(stub: StubGateway, repository: Repository) -> None:
    """Merged into dev, and the same commit on to staging and production, past the hook; topics are free."""
    experiment(stub, repository, 1)
    merged = merge(repository, 1)
    assert interlock("branches", "install-hook", repository.bare).code == 0
    with pytest.raises(AssertionError, match=r"(?s)there is no staging.*git push origin staging:prod.*hook declined"):
        repository.push("dev:production")
    for name in ("dev", "staging", "production"):
        assert f"refs/heads/{name} keeps the order" in repository.push(f"dev:{name}")
    repository.push("topic-1:topic-1")

    assert [at(repository, name) for name in ("dev", "staging", "production")] == [merged] * 3


def test_experiments_enter_after_each_other(stub: StubGateway, repository: Repository) -> None:
    """Or in one push."""
    experiment(stub, repository, 1)
    experiment(stub, repository, 2)
    merge(repository, 1)
    repository.git("merge", "--quiet", "--no-ff", "-m", "merged", f"origin/{branch(2)}")

    assert checked(repository, "dev", "dev", "--json").json["entered"] == [branch(2), branch(1)]


def test_no_stage_is_left_out(stub: StubGateway, repository: Repository) -> None:
    """What staging lacks does not go to production, and dev's own past only as it was."""
    experiment(stub, repository, 1)
    repository.push("main:staging")
    merge(repository, 1)
    told = refused(repository, "dev", "staging")
    assert "staging takes what dev has, and dev has never been at" in told
    repository.push("dev:dev")
    told = refused(repository, "dev", "production")
    assert "production takes what staging has, and staging has never been at" in told
    assert "the order is experiment, dev, staging, production: git push origin staging:production" in told
    told = refused(repository, f"origin/{branch(1)}", "staging")
    assert "dev has never been at" in told


def test_what_is_no_passed_experiment_does_not_enter(stub: StubGateway, repository: Repository) -> None:
    """A commit, a merge of a topic, a fast-forward, an experiment that was refused, and a merge with more in it."""
    experiment(stub, repository, 1)
    experiment(stub, repository, 2, "refused")
    repository.git("checkout", "--quiet", "-B", "dev", "origin/dev")
    repository.commit(**{"train.py": "two"})
    assert "dev takes merges of experiments only" in refused(repository, "dev", "dev")
    assert "is no commit of `interlock experiments push`" in refused(repository, merge_of(repository, "topic-1"), "dev")
    assert "dev takes merges of experiments only" in refused(repository, f"origin/{branch(1)}", "dev")
    merge(repository, 2)
    assert "has not passed the gate, it is refused: r2 on the holdout" in refused(repository, "dev", "dev")
    merge(repository, 1, "--no-commit")
    repository.commit(**{"train.py": "smuggled"})
    assert "has more in it than experiment/m/00000001 and dev" in refused(repository, "dev", "dev")


def merge_of(repository: Repository, topic: str) -> str:
    repository.git("checkout", "--quiet", "-B", "dev", "origin/dev")
    repository.git("merge", "--quiet", "--no-ff", "-m", "merged", topic)
    return "dev"


def test_branches_never_go_back(stub: StubGateway, repository: Repository) -> None:
    """By force neither, nor by taking dev into an experiment; and none is deleted."""
    first = at(repository, "dev")
    experiment(stub, repository, 1)
    merge(repository, 1)
    repository.push("dev:dev")
    assert "dev never goes back" in refused(repository, first, "dev")
    deleted = interlock("branches", "check", first, ZEROS, "refs/heads/dev", "-C", repository.bare)
    assert (deleted.code, "dev is never deleted" in deleted.err) == (1, True)
    experiment(stub, repository, 2)
    repository.git("fetch", "--quiet", "origin")
    repository.git("checkout", "--quiet", "--detach", f"origin/{branch(1)}")
    repository.git("merge", "--quiet", "--no-ff", "-m", "the wrong way round", "origin/dev", f"origin/{branch(2)}")
    assert "does not follow" in refused(repository, "HEAD", "dev")


def test_an_experiment_is_never_changed(stub: StubGateway, repository: Repository) -> None:
    """Neither by a commit behind it nor under another name; deleting it is fine."""
    experiment(stub, repository, 1)
    repository.git("fetch", "--quiet", "origin")
    assert "an experiment is never changed" in refused(repository, "topic-1", branch(1))
    told = refused(repository, f"origin/{branch(1)}", branch(9))
    assert "experiment/m/00000009 has the run of experiment/m/00000001" in told
    assert "adds no run.json" in refused(repository, "topic-1", branch(8))
    repository.git("checkout", "--quiet", "--detach", f"origin/{branch(1)}")
    tampered = repository.commit("--amend", **{"train.py": "smuggled"})
    assert "it changes train.py, too" in refused(repository, f"{tampered}", branch(7))
    words = (at(repository, branch(1)), ZEROS, f"refs/heads/{branch(1)}", "-C", repository.bare)
    assert interlock("branches", "check", *words).code == 0


def test_a_forged_record_is_found_by_the_registry(stub: StubGateway, repository: Repository) -> None:
    """Whoever may push can write `passed`; the registry knows better, and if it does not answer nothing enters."""
    experiment(stub, repository, 1)
    known(stub, 1, None, stage="refused")
    merge(repository, 1)
    told = checked(repository, "dev", "dev", "--verify").err
    assert "experiment/m/00000001 is not what the registry has: its version 1 is refused" in told
    stub.responses.clear()
    assert checked(repository, "dev", "dev", "--verify").code == 1
    known(stub, 1, None, stage="champion")
    assert checked(repository, "dev", "dev", "--verify").code == 0


def test_a_job_checks_the_branches_of_its_remote(stub: StubGateway, repository: Repository, tmp_path: Path) -> None:
    """In a clone that has only the commit it was started for."""
    old = at(repository, "dev")
    experiment(stub, repository, 1)
    new = merge(repository, 1)
    repository.push("dev:dev")
    clone = tmp_path / "job"
    repository.git("clone", "--quiet", "--single-branch", "--branch=dev", str(repository.bare), str(clone))
    words = ["--repository", clone, "--remote", "origin", "--json"]
    entered = interlock("branches", "check", old, new, "refs/heads/dev", *words)
    promoted = interlock("branches", "check", ZEROS, new, "refs/heads/staging", *words)
    skipped = interlock("branches", "check", ZEROS, new, "refs/heads/production", *words)

    assert (entered.code, entered.json["entered"]) == (0, [branch(1)])
    assert promoted.code == 0
    assert (skipped.code, skipped.json["error"]) == (
        1,
        "production takes what staging has, and there is no staging",
    )
    assert interlock("branches", "check", ZEROS, new, "refs/tags/v1", *words).code == 0
    assert "has no commit" in interlock("branches", "check", "c0ffee0", new, "refs/heads/dev", *words).out


def test_a_hook_of_somebody_else_stays(repository: Repository) -> None:
    """Ours is written again; a repository with a working tree gets none; an order is of different names."""
    assert interlock("branches", "install-hook", repository.bare, "--order", "main,live", "--verify").code == 0
    hook = repository.bare / "hooks" / "update"
    assert "--order main,live --verify" in hook.read_text()
    hook.write_text("#!/bin/sh\nexit 0\n")
    other = interlock("branches", "install-hook", repository.bare)
    clone = interlock("branches", "install-hook", repository.clone)
    wrong = interlock("branches", "install-hook", repository.bare, "--order", "dev,dev")

    assert (other.code, clone.code, wrong.code) == (1, 1, 2)
    assert "is a hook of somebody else" in other.err
    assert "is not a bare repository" in clone.err
    assert hook.read_text() == "#!/bin/sh\nexit 0\n"
