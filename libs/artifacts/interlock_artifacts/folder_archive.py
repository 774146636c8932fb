"""A folder that somebody uploads as a tar archive: files and folders only, bounded, and nothing outside of it."""

import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO

MAX_FILES = 1000
MAX_UNPACKED = 256 << 20
"""Bytes of all files together: an archive may be compressed."""

_PIECE = 1 << 20
_BROKEN = (tarfile.TarError, EOFError, OSError, zlib.error, LZMAError)


class BadArchiveError(ValueError):
    """Not a tar archive, or one with something that is not unpacked; the text says what."""


def read_member(archive: Path, name: str, limit: int) -> bytes:
    """Return the file ``name`` of an archive, up to ``limit`` bytes of it; every member is looked at.

    Raises:
        BadArchiveError: it is not there, or the archive would not be unpacked.
    """
    found: bytes | None = None
    for path, content in _files(archive):
        if str(path) == name:
            found = _read(content, limit)
    if found is None:
        raise BadArchiveError(f"no {name} at the top of the archive; pack what is in the folder: tar -C FOLDER -cf - .")
    return found


def unpack(archive: Path, folder: Path) -> None:
    """Write the archive's files below ``folder``.

    Raises:
        BadArchiveError: it has links, devices, paths that lead out of it, or too much.
    """
    for path, content in _files(archive):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            while piece := _read(content, _PIECE):
                file.write(piece)


def _files(archive: Path) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    """Yield each file's path and content, one after the other."""
    seen: set[PurePosixPath] = set()
    size = 0
    with _readable():
        opened = tarfile.open(archive, "r:*")  # noqa: SIM115 - closed below
    with opened:
        while True:
            with _readable():
                member = opened.next()
            if member is None:
                return
            if member.isdir():
                continue
            path = _path(member)
            size += member.size
            if path in seen:
                raise BadArchiveError(f"{member.name[:80]!r} is there twice")
            seen.add(path)
            if len(seen) > MAX_FILES or size > MAX_UNPACKED:
                raise BadArchiveError(f"more than {MAX_FILES} files or {MAX_UNPACKED >> 20} MB")
            content = opened.extractfile(member)
            assert content is not None, "it is a file"
            yield path, content


def _path(member: tarfile.TarInfo) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if not member.isreg():
        raise BadArchiveError(f"{member.name[:80]!r} is a link or a device; only files and folders are taken")
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in member.name or "\0" in member.name:
        raise BadArchiveError(f"{member.name[:80]!r} leads out of the folder")
    return path


def _read(content: IO[bytes], size: int) -> bytes:
    with _readable():
        return content.read(size)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise BadArchiveError(f"not a tar archive, plain or compressed, or a damaged one: {error}") from error
