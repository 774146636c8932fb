"""GTO reads the tags that `interlock git-tags` writes, and the other way round."""

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environments import make_ready, ran_by
from tests.unit.cli.stub_gateway import KEY, StubGateway, running_stub
from tests.unit.cli.views import NOW, promotion, version

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

TAGS = ("stars@v1.0.0", "stars#production#1")
CLIENT = "dvc"
"""Its environment has GTO, too: DVC brings it."""


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    command = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def gto(folder: Path, *words: str) -> Any:
    done = ran_by(CLIENT, "gto", *words, "--repo", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout) if "--json" in words else done.stdout


def mirror(stub: StubGateway, folder: Path) -> list[str]:
    own = {"INTERLOCK_GATEWAY_URL": stub.url, "INTERLOCK_API_KEY": KEY}
    command = [sys.executable, "-m", "interlock_cli", "git-tags", "stars", "--repository", str(folder), "--json"]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    written: list[str] = json.loads(done.stdout)["written"]
    return written


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository of one commit."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    (tmp_path / "train.py").write_text("1")
    git(tmp_path, "add", "train.py")
    git(tmp_path, "commit", "--quiet", "-m", "train")
    return tmp_path


def at(seq: int) -> datetime:
    return NOW + timedelta(hours=seq)


def know(stub: StubGateway, commit: str, versions: int, *promoted: int) -> None:
    """Let the registry have versions that were all trained at one commit, and promotions."""
    views = [
        version("retired", number, model="stars", details={"status": "succeeded", "commit": commit})
        for number in range(1, versions + 1)
    ]
    stub.respond("GET /models/stars/versions", views)
    for view in views:
        stub.respond(f"GET /models/stars/versions/{view['version']}", view)
    served = [promotion(number, seq, promoted_at=at(seq)) for seq, number in enumerate(promoted, start=1)]
    stub.respond("GET /models/stars/promotions", served)


def test_gto_reads_our_tags(repository: Path) -> None:
    """Three versions of one commit, a promotion, another, and a rollback."""
    make_ready(CLIENT)
    with running_stub() as stub:
        know(stub, git(repository, "rev-parse", "HEAD"), 3, 1, 3, 1)
        mirror(stub, repository)
    happened = gto(repository, "history", "stars", "--json")
    assigned = [each for each in happened if each["event"] == "assignment"]
    registered = [each for each in happened if each["event"] == "registration"]

    assert sorted(each["version"] for each in registered) == ["v1.0.0", "v2.0.0", "v3.0.0"]
    assert {each["ref"]: (each["stage"], each["version"]) for each in assigned} == {
        "stars#production#1": ("production", "v1.0.0"),
        "stars#production#2": ("production", "v3.0.0"),
        "stars#production#3": ("production", "v1.0.0"),
    }
    assert {each["author"] for each in happened} == {"Interlock"}
    assert {datetime.fromisoformat(each["timestamp"]) for each in assigned} == {at(1), at(2), at(3)}
    assert "v1.0.0" in gto(repository, "show", "stars#production", "--ref")


def test_what_gto_has_written_is_taken_over(repository: Path) -> None:
    """By the same names, with the same messages: nothing is written a second time, and what is missing is added."""
    make_ready(CLIENT)
    gto(repository, "register", "stars", "--version", "v1.0.0")
    gto(repository, "assign", "stars", "--version", "v1.0.0", "--stage", "production")
    theirs = [git(repository, "tag", "--list", "--format=%(contents:subject)", tag) for tag in TAGS]
    with running_stub() as stub:
        know(stub, git(repository, "rev-parse", "HEAD"), 2, 1, 2)
        assert mirror(stub, repository) == ["stars@v2.0.0", "stars#production#2"]
    ours = [
        git(repository, "tag", "--list", "--format=%(contents:subject)", tag)
        for tag in ("stars@v2.0.0", "stars#production#2")
    ]

    assert [each.replace("v1", "v2") for each in theirs] == ours
