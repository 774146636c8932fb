"""A store in a folder: files need not fit into memory."""

import hashlib
import shutil
from pathlib import Path

from interlock_artifacts import MemoryStore
from interlock_contracts.refs import ArtifactRef


class DiskStore(MemoryStore):
    """Files lie in ``folder``, everything else in memory."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        folder.mkdir()
        self._folder = folder

    def put_file(self, path: Path, *, holdout: bool = False) -> ArtifactRef:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        shutil.copy(path, self._folder / digest)
        return ArtifactRef(sha256=digest, bytes=path.stat().st_size, holdout=holdout)

    def fetch_file(self, ref: ArtifactRef, path: Path) -> None:
        stored = self._folder / ref.sha256
        if stored.exists():
            shutil.copy(stored, path)
        else:
            super().fetch_file(ref, path)
