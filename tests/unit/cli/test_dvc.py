"""`ingest` of what DVC's pointers point at, and pointers of what was ingested; against DVC itself: tests/clients."""

import hashlib
from pathlib import Path

import pytest
import yaml

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import DIGEST, dataset

DATA = b"size;price\n1;2\n"
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
KEY = f"files/md5/{MD5[:2]}/{MD5[2:]}"


@pytest.fixture
def pointer(tmp_path: Path) -> Path:
    """Return a pointer, whose data is nowhere yet."""
    folder = tmp_path / "code" / "data"
    folder.mkdir(parents=True)
    file = folder / "prices.csv.dvc"
    file.write_text(f"outs:\n- md5: {MD5}\n  size: {len(DATA)}\n  hash: md5\n  path: prices.csv\n")
    return file


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a folder with the data, as `dvc push` leaves it."""
    at = tmp_path / "store" / KEY
    at.parent.mkdir(parents=True)
    at.write_bytes(DATA)
    return tmp_path / "store"


@pytest.fixture
def accepting(stub: StubGateway) -> StubGateway:
    headers = {"Location": f"/datasets/m/{DIGEST}"}
    stub.respond("POST /datasets/m", dataset("checking"), status=202, headers=headers)
    stub.respond(f"GET /datasets/m/{DIGEST}", dataset("accepted"))
    return stub


def test_the_data_comes_from_the_remote(accepting: StubGateway, pointer: Path, store: Path) -> None:
    """Under its own name, and its MD5 is the note."""
    ended = interlock("ingest", "m", pointer, "--remote", store)

    assert ended.code == 0, ended.err
    sent = accepting.requests[0]
    assert sent.body == DATA
    assert "file_name=prices.csv&" in sent.query + "&"
    assert f"md5+{MD5}" in sent.query or f"md5%20{MD5}" in sent.query


def test_the_data_beside_the_pointer_is_taken(accepting: StubGateway, pointer: Path) -> None:
    """Without any remote; a note of the caller's own stays."""
    (pointer.parent / "prices.csv").write_bytes(DATA)
    ended = interlock("ingest", "m", pointer, "--note", "mine")

    assert ended.code == 0, ended.err
    assert accepting.requests[0].body == DATA
    assert "note=mine" in accepting.requests[0].query


def test_other_data_beside_the_pointer_is_not(accepting: StubGateway, pointer: Path, store: Path) -> None:
    """It has changed since; what the pointer says counts."""
    (pointer.parent / "prices.csv").write_bytes(DATA + b"3;4\n")

    assert interlock("ingest", "m", pointer, "--remote", store).code == 0
    assert accepting.requests[0].body == DATA


@pytest.mark.parametrize("url", ["../../store", "{store}"])
def test_the_repositorys_own_remote_is_the_default(
    accepting: StubGateway, pointer: Path, store: Path, url: str
) -> None:
    """Relative to the file that names it; the local file beside that one counts more."""
    home = pointer.parents[1] / ".dvc"
    home.mkdir()
    (home / "config").write_text("[core]\n    remote = main\n['remote \"main\"']\n    url = /nowhere\n")
    (home / "config.local").write_text(f"['remote \"main\"']\n    url = {url.format(store=store)}\n")

    ended = interlock("ingest", "m", pointer)
    assert ended.code == 0, ended.err
    assert accepting.requests[0].body == DATA


def test_damaged_data_is_not_sent(stub: StubGateway, pointer: Path, store: Path) -> None:
    """Of the right size, or not."""
    (store / KEY).write_bytes(DATA.replace(b"2", b"3"))
    first = interlock("ingest", "m", pointer, "--remote", store)
    (store / KEY).write_bytes(DATA[:-1])
    second = interlock("ingest", "m", pointer, "--remote", store)

    assert (first.code, second.code) == (1, 1)
    assert "is damaged: its MD5 is" in first.err
    assert "is damaged: it has 14 bytes, and the pointer says 15" in second.err
    assert stub.requests == []


def test_missing_data_is_named(stub: StubGateway, pointer: Path, tmp_path: Path) -> None:
    """With what would help: where no remote is known, and where it has not the data."""
    unknown = interlock("ingest", "m", pointer)
    assert (unknown.code, "no remote is known" in unknown.err, "--remote" in unknown.err) == (1, True, True)

    empty = interlock("ingest", "m", pointer, "--remote", tmp_path)
    assert (empty.code, f"has no {KEY}" in empty.err, "dvc push" in empty.err) == (1, True, True)

    other = interlock("ingest", "m", pointer, "--remote", "ssh://host/x")
    assert "is neither a folder nor s3://bucket/prefix" in other.err
    assert stub.requests == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("outs: [", "has no list 'outs'"),
        ("- 1\n", "has no list 'outs'"),
        ("outs: []\n", "has no list 'outs'"),
        ("outs: [1]\n", "has no list 'outs'"),
        ("outs: [{path: a}, {path: b}]\n", "points at 2 files"),
        (f"outs: [{{md5: {MD5}.dir, hash: md5, path: a}}]\n", "points at a folder"),
        (f"outs: [{{md5: {MD5}, path: a}}]\n", "of DVC 2 and before, are not read"),
        ("outs: [{md5: ../../../etc/passwd, hash: md5, path: a}]\n", "is no MD5: '../../../etc/passwd'"),
        (f"outs: [{{md5: {MD5}, hash: md5}}]\n", "outs.0.path"),
    ],
)
def test_what_is_no_pointer_is_refused(stub: StubGateway, pointer: Path, text: str, message: str) -> None:
    """The message says what is wrong with it."""
    pointer.write_text(text)
    ended = interlock("ingest", "m", pointer, "--remote", pointer.parent)

    assert ended.code == 1
    assert message in ended.err
    assert stub.requests == []


def test_a_pointer_of_an_accepted_file_is_written(accepting: StubGateway, tmp_path: Path) -> None:
    """Beside it, with our digest as metadata, and the data in the remote; a second time nothing changes."""
    file, remote = tmp_path / "prices.csv", tmp_path / "remote"
    file.write_bytes(DATA)
    for _ in range(2):
        ended = interlock("ingest", "m", file, "--remote", remote)
        assert ended.code == 0, ended.err

    assert yaml.safe_load((tmp_path / "prices.csv.dvc").read_text()) == {
        "outs": [{"md5": MD5, "size": len(DATA), "hash": "md5", "path": "prices.csv"}],
        "meta": {"interlock": {"pipeline": "m", "sha256": hashlib.sha256(DATA).hexdigest()}},
    }
    assert [(each.relative_to(remote).as_posix(), each.read_bytes()) for each in remote.rglob("*/*/*/*")] == [
        (KEY, DATA)
    ]
    assert "prices.csv.dvc written" in ended.out
    assert len(accepting.requests) == 4


def test_a_rejected_file_gets_no_pointer(stub: StubGateway, tmp_path: Path) -> None:
    """Nor does one that is only tried, or not waited for."""
    file, remote = tmp_path / "prices.csv", tmp_path / "remote"
    file.write_bytes(DATA)
    stub.respond("POST /datasets/m", dataset("rejected"), status=202, headers={"Location": f"/datasets/m/{DIGEST}"})
    stub.respond(f"GET /datasets/m/{DIGEST}", dataset("rejected"))

    assert interlock("ingest", "m", file, "--remote", remote).code == 1
    assert interlock("ingest", "m", file, "--remote", remote, "--no-wait").code == 2
    assert sorted(each.name for each in tmp_path.iterdir()) == ["prices.csv"]
