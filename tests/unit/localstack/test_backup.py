"""What cannot be backed up, and files that are no backup, are refused before anything is started."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from interlock_localstack import backup
from interlock_localstack.errors import StackError
from interlock_localstack.state_dir import StateDir


def archive(file: Path, **contents: str) -> Path:
    with tarfile.open(file, "w") as tar:
        for name, text in contents.items():
            member = tarfile.TarInfo(name.replace("_json", ".json"))
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return file


def refusal(home: Path, file: Path) -> str:
    with pytest.raises(StackError) as caught:
        backup.restore(StateDir(home), file, lambda _: None)
    return str(caught.value)


def test_what_is_no_backup_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    """No file, no archive, one that was cut off, and one that this release cannot read."""
    text, home = tmp_path / "text.tar", tmp_path / "home"
    text.write_text("no archive")
    newer = json.dumps({"format": backup.FORMAT, "release": "999.0", "taken_at": "2026-11-30T00:00:00Z"})
    other = json.dumps({"format": backup.FORMAT + 1, "release": "0.0.1", "taken_at": "2026-11-30T00:00:00Z"})

    assert "there is no file" in refusal(home, tmp_path / "missing.tar")
    assert "is no backup" in refusal(home, text)
    assert "is no whole backup" in refusal(home, archive(tmp_path / "cut.tar", dump="x"))
    assert "release 999.0, which is newer" in refusal(home, archive(tmp_path / "newer.tar", manifest_json=newer))
    assert "which is newer" in refusal(home, archive(tmp_path / "other.tar", manifest_json=other))
    assert not home.exists()


def test_a_stack_with_data_is_never_overwritten(tmp_path: Path) -> None:
    """Objects alone are enough: a restore that was cut off had begun with them."""
    whole = json.dumps({"format": backup.FORMAT, "release": "0.0.1", "taken_at": "2026-11-30T00:00:00Z"})
    state_dir = StateDir(tmp_path / "home")
    (state_dir.data / "s3").mkdir(parents=True)
    assert "has data" in refusal(state_dir.root, archive(tmp_path / "whole.tar", manifest_json=whole))


def test_a_stack_that_was_never_started_has_nothing_to_back_up(tmp_path: Path) -> None:
    """The file does not appear, either."""
    with pytest.raises(StackError, match="never been started"):
        backup.back_up(StateDir(tmp_path / "home"), tmp_path / "new.tar", lambda _: None)
    assert not list(tmp_path.glob("*.tar*"))
