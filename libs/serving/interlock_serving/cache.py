"""The folder of verified bytes that all workers of a host share, and what the host knows about them.

A file is named by its SHA-256. It is mapped, not read, so workers share its memory too; it may be removed while it is
mapped, but is never written to again once it has its name.

The result of its smoke test stands beside the files of a model, as ``<digest>.<readers>.verdict``. It names the files
as they were then (inode, size, time of the last change) and the boot of the machine, so whoever finds the same files
need not read them through once more; after a boot, which may follow a crash, or when anything differs, they are
hashed again. It is named by digest and by the versions of all that reads the file: another release tries anew. It is
written in one piece, and one that is not understood is none. The folder belongs to one user: who can write a false
result can as well change the program.
"""

import fcntl
import hashlib
import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from uuid import uuid4

import msgspec
from interlock_artifacts import ArtifactStore
from interlock_contracts.refs import ArtifactRef

KEEP_BYTES = 4 * 1024**3
"""How much of what was loaded before stays in the folder, the newest first."""

_READERS = ("interlock-modeling", "numpy", "onnxruntime")
_OTHERS_MAY_WRITE = 0o022

State = tuple[int, int, int]
"""Inode, size in bytes, and nanoseconds of the last change of a file."""


class SmokeTestResult(msgspec.Struct, frozen=True):
    """The result of a model's smoke test on this host; ``reason`` is why it is refused, None when it is sound."""

    boot: str
    at: float
    files: dict[str, State]
    reason: str | None = None

    def age(self) -> float:
        """Return how many seconds ago it was given."""
        return time.time() - self.at


class Cache:
    """Files by their SHA-256 in a folder that belongs to this user alone.

    Raises:
        PermissionError: another user owns the folder, or may write to it.
    """

    def __init__(self, artifacts: ArtifactStore, folder: Path) -> None:
        self._artifacts = artifacts
        self._folder = folder
        self._make()

    def _make(self) -> None:
        """Make the folder unless it is there, and ours: whoever cleans a temporary folder makes place for others."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self._folder.stat()
        if found.st_uid != os.getuid() or found.st_mode & _OTHERS_MAY_WRITE:
            raise PermissionError(f"others may write to {self._folder}; name another in INTERLOCK_CACHE_DIR")

    def file(self, ref: ArtifactRef) -> Path:
        """Return a file that holds the bytes of ``ref``, verified now.

        Raises:
            CorruptArtifactError, MissingArtifactError: the store does not hold the bytes that ``ref`` names.
            ConnectionError: the store is down, and the folder does not hold them.
        """
        self._make()
        path = self._folder / ref.sha256
        if not _holds(path, ref):
            partial = self._folder / f".{ref.sha256}.{uuid4().hex}"
            try:
                self._artifacts.fetch_file(ref, partial)
                partial.chmod(0o400)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        return path

    @contextmanager
    def locked(self, sha256: str) -> Iterator[None]:
        """Hold the host's file lock (flock) of a model, so that one worker at a time fetches and tests it; blocks."""
        self._make()
        with (self._folder / f".turn-{sha256[:2]}").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def smoke_test_result(self, sha256: str) -> SmokeTestResult | None:
        """Return the result of the model's last smoke test, if it still holds: its files have not changed."""
        self._make()
        path = self._result_path(sha256)
        try:
            found = msgspec.json.decode(path.read_bytes(), type=SmokeTestResult)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        if found.boot != _boot() or any(self._state(name) != state for name, state in found.files.items()):
            return None
        with suppress(FileNotFoundError):
            os.utime(path)
        return found

    def record_result(self, sha256: str, files: Mapping[str, Path], reason: str | None = None) -> None:
        """Record the result of the smoke test of a model whose ``files``, by digest, have just been verified."""
        states = {name: state for name in files if (state := self._state(name)) is not None}
        result = SmokeTestResult(_boot(), time.time(), states, reason)
        write_whole(self._result_path(sha256), msgspec.json.encode(result))

    def path(self, sha256: str) -> Path:
        """Return where the file of that digest is, or would be."""
        return self._folder / sha256

    def _result_path(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.{_readers()}.verdict"

    def _state(self, name: str) -> State | None:
        try:
            found = (self._folder / name).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def forget(self, model: str, engine: str) -> None:
        """Remove a model and what is known of it, and its engine unless another model here has it, too."""
        mine = set(self._folder.glob(f"{model}.*.verdict"))
        others = {name for path in set(self._folder.glob("*.verdict")) - mine for name in _files_of(path)}
        for path in (*mine, *([] if engine in others else [self.path(engine)]), self.path(model)):
            path.unlink(missing_ok=True)

    def forget_oldest(self) -> None:
        """LRU eviction: remove the files used least recently, by the times of smoke-test results."""
        used: dict[Path, float] = {}
        with suppress(FileNotFoundError):  # another worker may be first
            for path in self._folder.iterdir():
                if path.is_file() and not path.name.startswith(".turn-"):
                    used[path] = max(used.get(path, 0.0), path.stat().st_mtime)
                if path.suffix == ".verdict":
                    for name in _files_of(path):
                        named = self._folder / name
                        used[named] = max(used.get(named, 0.0), used[path])
            total = 0
            for path in sorted(used, key=lambda each: used[each], reverse=True):
                total += path.stat().st_size if path.exists() else 0
                if total > KEEP_BYTES:
                    path.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write ``path`` so that a reader sees the old content or the new one, never a part."""
    partial = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _files_of(result: Path) -> list[str]:
    """Return the digests that a smoke-test result names; none where it is gone, or not understood."""
    try:
        return list(msgspec.json.decode(result.read_bytes(), type=SmokeTestResult).files)
    except (FileNotFoundError, msgspec.DecodeError):
        return []


def _holds(path: Path, ref: ArtifactRef) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == ref.sha256
    except FileNotFoundError:
        return False


@cache
def _readers() -> str:
    """Return a name for the versions of all that reads a model."""
    versions = [platform.python_version(), platform.machine()]
    for package in _READERS:
        with suppress(PackageNotFoundError):
            versions.append(f"{package} {version(package)}")
    return hashlib.sha256(" ".join(versions).encode()).hexdigest()[:16]


@cache
def _boot() -> str:
    """Return what differs after each boot; without an id of the system, it differs for each process."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return uuid4().hex
