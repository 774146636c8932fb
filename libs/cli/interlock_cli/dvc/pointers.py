"""DVC's pointers: a small YAML file beside the data, with its MD5."""

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from interlock_cli.terminal import CommandError

SUFFIX = ".dvc"
CHUNK = 1 << 20
LARGEST = 1 << 20
"""Most bytes of a pointer."""

_MD5 = re.compile(r"[0-9a-f]{32}")


class Pointer(NamedTuple):
    """What a pointer says: the data's MD5, its size in bytes where that is known, and its path beside the pointer."""

    md5: str
    size: int | None
    path: str

    @property
    def key(self) -> str:
        """Return where a store has the data."""
        return f"files/md5/{self.md5[:2]}/{self.md5[2:]}"

    def mismatch(self, found: "Digests") -> str | None:
        """Return how data differs from what the pointer says; None where it does not."""
        if self.size not in (None, found.size):
            return f"it has {found.size:,} bytes, and the pointer says {self.size:,}"
        return f"its MD5 is {found.md5}, and the pointer says {self.md5}" if found.md5 != self.md5 else None


class Digests(NamedTuple):
    """The MD5, by which DVC knows data, the SHA-256, by which we do, and the size in bytes."""

    md5: str
    sha256: str
    size: int


def digests_of(file: Path) -> Digests:
    """Return the digests of a file."""
    with file.open("rb") as source:
        return copied(source.read)


def copied(read: Callable[[int], bytes], write: Callable[[bytes], object] | None = None) -> Digests:
    """Return the digests of what ``read`` returns piece by piece until it is empty, and write it where one is given."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    while piece := read(CHUNK):
        md5.update(piece)
        sha256.update(piece)
        size += len(piece)
        if write is not None:
            write(piece)
    return Digests(md5.hexdigest(), sha256.hexdigest(), size)


def read_pointer(file: Path) -> Pointer:
    """Return what a pointer says.

    Raises:
        CommandError: it is none, or points at a folder, at several files, or was written by DVC 2 or older.
    """
    document: Any = None
    if file.stat().st_size <= LARGEST:
        with suppress(yaml.YAMLError, UnicodeDecodeError):
            document = yaml.safe_load(file.read_text())
    outs = document.get("outs") if isinstance(document, dict) else None
    if not isinstance(outs, list) or not outs or not all(isinstance(each, dict) for each in outs):
        raise CommandError(f"{file} is no pointer of DVC: it has no list 'outs'")
    if len(outs) > 1:
        raise CommandError(f"{file} points at {len(outs)} files; a file is ingested by a pointer of its own")
    md5, size, path = (outs[0].get(name) for name in ("md5", "size", "path"))
    if isinstance(md5, str) and md5.endswith(".dir"):
        raise CommandError(f"{file} points at a folder; only single files are ingested", hint="dvc add each file")
    if outs[0].get("hash") != "md5":
        hint = "`dvc cache migrate --dvc-files` writes it anew"
        raise CommandError(f"{file} has no 'hash: md5'; such pointers, of DVC 2 and before, are not read", hint=hint)
    if not isinstance(md5, str) or not _MD5.fullmatch(md5):
        raise CommandError(f"outs.0.md5 of {file} is no MD5: {str(md5)[:60]!r}; it has 32 hexadecimal digits")
    if not isinstance(path, str) or not Path(path).name:
        raise CommandError(f"outs.0.path of {file} names no file: {str(path)[:60]!r}")
    return Pointer(md5, size if isinstance(size, int) and not isinstance(size, bool) else None, path)


def write_pointer(file: Path, digests: Digests, *, pipeline: str) -> Path:
    """Write the pointer of a data file beside it, as `dvc add` does, with our digest as metadata; return its path."""
    out = {"md5": digests.md5, "size": digests.size, "hash": "md5", "path": file.name}
    document = {"outs": [out], "meta": {"interlock": {"pipeline": pipeline, "sha256": digests.sha256}}}
    pointer = file.with_name(file.name + SUFFIX)
    pointer.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    return pointer
