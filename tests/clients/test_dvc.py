"""DVC itself, and what `interlock ingest` reads of it and writes for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from interlock_cli.dvc.pointers import digests_of
from interlock_cli.dvc.s3 import S3Prefix

from tests.clients.environments import make_ready, ran_by
from tests.unit.cli.stub_gateway import KEY, StubGateway, running_stub
from tests.unit.cli.views import DIGEST, dataset

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

DATA = b"size;price\r\n1;2\n\xe4;3\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder in which DVC works, without git, with a folder as its remote."""
    make_ready("dvc")
    home = tmp_path / "project" / ".dvc"
    home.mkdir(parents=True)
    core = (
        f"[core]\n    no_scm = True\n    analytics = false\n    remote = store\n    site_cache_dir = {tmp_path}/site\n"
    )
    (home / "config").write_text(core + "['remote \"store\"']\n    url = ../../store\n")
    return tmp_path / "project"


def dvc(project: Path, *words: str) -> None:
    done = ran_by("dvc", "dvc", "--cd", str(project), *words)
    assert done.returncode == 0, done.stdout + done.stderr


def ingest(stub: StubGateway, *words: object) -> None:
    """Run the command as a user does, at a gateway that accepts everything."""
    stub.respond("POST /datasets/m", dataset("checking"), status=202, headers={"Location": f"/datasets/m/{DIGEST}"})
    stub.respond(f"GET /datasets/m/{DIGEST}", dataset("accepted"))
    own = {"INTERLOCK_GATEWAY_URL": stub.url, "INTERLOCK_API_KEY": KEY}
    command = [sys.executable, "-m", "interlock_cli", "ingest", "m", *(str(each) for each in words)]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_dvc_has_pushed_is_ingested(project: Path) -> None:
    """By its pointer alone, as in a fresh checkout: byte by byte."""
    file = project / "prices.csv"
    file.write_bytes(DATA)
    dvc(project, "add", "prices.csv")
    dvc(project, "push")
    file.unlink()
    with running_stub() as stub:
        ingest(stub, project / "prices.csv.dvc")

    assert stub.requests[0].body == DATA


def test_dvc_pulls_what_was_ingested(project: Path) -> None:
    """By the pointer that we wrote, from the remote that we filled."""
    file = project / "prices.csv"
    file.write_bytes(DATA)
    with running_stub() as stub:
        ingest(stub, file, "--remote", project.parent / "store")
    file.unlink()
    dvc(project, "pull")

    assert file.read_bytes() == DATA


def test_a_remote_in_s3(servers: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variables that AWS's tools take; what is not there is None."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", servers["INTERLOCK_S3_ACCESS_KEY"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", servers["INTERLOCK_S3_SECRET_KEY"])
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", servers["INTERLOCK_S3_ENDPOINT"])
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    remote = S3Prefix.of(f"s3://{servers.get('INTERLOCK_S3_BUCKET', 'interlock')}/{tmp_path.name}/dvc", None)
    file, copy = tmp_path / "prices.csv", tmp_path / "copy.csv"
    file.write_bytes(DATA)

    assert remote.fetch("files/md5/ab/c", copy) is None
    for _ in range(2):
        remote.store("files/md5/ab/c", file)
    assert remote.fetch("files/md5/ab/c", copy) == digests_of(file)
    assert copy.read_bytes() == DATA
