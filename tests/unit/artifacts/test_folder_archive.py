"""Uploaded folders: files only, bounded, nothing outside."""

import tarfile
from pathlib import Path

import pytest
from interlock_artifacts import folder_archive
from interlock_artifacts.folder_archive import BadArchiveError, read_member, unpack

from tests.support.mlflow_folders import archive


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def written(content: bytes, folder: Path) -> Path:
    path = folder / "archive"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_files_and_folders_are_unpacked(mode: str, tmp_path: Path) -> None:
    """Plain or compressed; a leading ``./``, as ``tar -C FOLDER .`` writes it, changes nothing."""
    path = written(archive({"./MLmodel": b"a", "data/model.onnx": b"b"}, mode), tmp_path)

    unpack(path, tmp_path / "to")

    assert (tmp_path / "to/MLmodel").read_bytes() == b"a"
    assert (tmp_path / "to/data/model.onnx").read_bytes() == b"b"
    assert read_member(path, "MLmodel", 10) == b"a"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (archive({"../out": b""}), "leads out of the folder"),
        (archive({"a/../../out": b""}), "leads out of the folder"),
        (archive({"/out": b""}), "leads out of the folder"),
        (archive({"a\\b": b""}), "leads out of the folder"),
        (archive({"link": special("link", tarfile.SYMTYPE, "/etc/passwd")}), "link or a device"),
        (archive({"link": special("link", tarfile.LNKTYPE, "MLmodel")}), "link or a device"),
        (archive({"pipe": special("pipe", tarfile.FIFOTYPE)}), "link or a device"),
        (archive({"a": b"1", "./a": b"2"}), "there twice"),
        (b"no archive", "not a tar archive"),
        (b"", "not a tar archive"),
        (archive({"a": b"0123456789" * 2000}, "w:gz")[:-30], "damaged"),
    ],
    ids=["up", "up-later", "absolute", "backslash", "symlink", "hard-link", "pipe", "twice", "text", "empty", "cut"],
)
def test_anything_else_is_refused(content: bytes, why: str, tmp_path: Path) -> None:
    """Nothing is written beside the folder."""
    (tmp_path / "in").mkdir()
    path = written(content, tmp_path / "in")

    with pytest.raises(BadArchiveError, match=why):
        unpack(path, tmp_path / "in/to")
    with pytest.raises(BadArchiveError, match=why):
        read_member(path, "MLmodel", 10)
    assert [each.name for each in tmp_path.iterdir()] == ["in"]


def test_what_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By bytes, which compress well, or by files."""
    monkeypatch.setattr(folder_archive, "MAX_UNPACKED", 1000)
    with pytest.raises(BadArchiveError, match="more than"):
        unpack(written(archive({"a": bytes(600), "b": bytes(600)}, "w:gz"), tmp_path), tmp_path / "to")
    monkeypatch.setattr(folder_archive, "MAX_FILES", 2)
    with pytest.raises(BadArchiveError, match="more than 2 files"):
        unpack(written(archive(dict.fromkeys("abc", b"")), tmp_path), tmp_path / "other")


def test_a_missing_file_is_named_with_how_to_pack(tmp_path: Path) -> None:
    """The folder itself was packed, in place of what is in it."""
    path = written(archive({"model/MLmodel": b"a"}), tmp_path)

    with pytest.raises(BadArchiveError, match="no MLmodel at the top of the archive; pack what is in the folder"):
        read_member(path, "MLmodel", 10)
