"""What a stack keeps in its state folder."""

import json
import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from interlock_localstack.log_lines import readable
from interlock_localstack.state_dir import LONGEST_RUN_PATH, StateDir

LONGEST_SOCKET_PATH = 107
"""``man 7 unix``: 108 bytes with the null byte."""


def test_the_state_folder_is_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """INTERLOCK_HOME wins over the checkout."""
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path / "mine"))
    assert StateDir.find().root == tmp_path / "mine"


def test_the_state_folder_is_the_checkout_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Anywhere inside of a checkout its own stack is meant, not that of the code which runs."""
    (tmp_path / "libs/cli/interlock_cli").mkdir(parents=True)
    monkeypatch.delenv("INTERLOCK_HOME", raising=False)
    monkeypatch.chdir(tmp_path / "libs")
    assert StateDir.find().root == tmp_path / ".interlock"


def test_elsewhere_the_checkout_of_the_code_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user in a repository of their own reaches the stack of the installed checkout."""
    monkeypatch.delenv("INTERLOCK_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert StateDir.find().root == Path(__file__).parents[3] / ".interlock"


def test_a_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """A secret stays the same over objects, and nobody else may read it."""
    secret = StateDir(tmp_path).secret("ray_token", 32)

    assert StateDir(tmp_path).secret("ray_token", 32) == secret
    assert len(secret) == 64
    assert stat.S_IMODE(StateDir(tmp_path).secret_path("ray_token").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_sockets_move_to_a_short_private_folder_where_the_path_is_too_long(tmp_path: Path) -> None:
    """A deep checkout works, the folder is found again, and made anew when a reboot has emptied it."""
    state_dir = StateDir(tmp_path / ("deep" * LONGEST_RUN_PATH))
    state_dir.create()
    run = state_dir.run

    assert len(os.fsencode(run)) <= LONGEST_RUN_PATH
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert state_dir.run == run
    run.rmdir()
    again = state_dir.run
    assert again.is_dir()
    again.rmdir()


@pytest.mark.parametrize("letter", ["x", " ", "ü"])
def test_rays_longest_socket_fits(letter: str) -> None:
    """Whatever the state folder is called: the system counts bytes, and a pid may have seven digits."""
    for size in range(1, 50):
        root = Path(tempfile.mkdtemp(prefix="i", dir="/tmp"))
        state_dir = StateDir(root / (letter * size))
        state_dir.create()
        longest = state_dir.run / "ray" / "session_2026-11-29_08-21-35_661344_1234567" / "sockets" / "dash_MetricsHead"
        shutil.rmtree(state_dir.run)
        shutil.rmtree(root)
        assert len(os.fsencode(longest)) <= LONGEST_SOCKET_PATH


def test_a_path_that_a_shell_would_split_is_no_folder_of_sockets() -> None:
    """Ray puts it into commands as it is."""
    with tempfile.TemporaryDirectory(prefix="i ", dir="/tmp") as folder:
        state_dir = StateDir(Path(folder))
        run = state_dir.run
        run.rmdir()

    assert run.parent != state_dir.root
    assert " " not in str(run)


def test_a_record_that_was_torn_reads_as_none(tmp_path: Path) -> None:
    """What can't be read is as good as absent."""
    (tmp_path / "ports.json").write_text('{"s3": 2')
    assert StateDir(tmp_path).read("ports") is None


def test_wiping_keeps_ports_and_secrets(tmp_path: Path) -> None:
    """Starting over does not change addresses or keys."""
    state_dir = StateDir(tmp_path)
    state_dir.create()
    state_dir.write("ports", {"s3": 1})
    key = state_dir.secret("api_key")
    (state_dir.data / "file").touch()
    state_dir.wipe()

    assert not state_dir.data.exists()
    assert state_dir.read("ports") == {"s3": 1}
    assert state_dir.secret("api_key") == key


def test_a_log_is_shown_in_words() -> None:
    """A service's line is JSON for machines; a person reads when, what, of which run, and why."""
    told = {
        "time": "2026-11-21T15:44:04.164+00:00",
        "level": "ERROR",
        "logger": "x",
        "message": "lost",
        "service": "ingest",
    }
    told |= {"run_id": "r1", "trace_id": "t1", "error": "Traceback"}

    assert readable(json.dumps(told)) == "15:44:04.164 ERROR   ingest: lost [run r1, trace t1]\nTraceback"
    assert readable('{"half') == '{"half'
    assert readable("plain words") == "plain words"
