"""The store in memory: for tests, held to the same contract suite as S3."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from interlock_contracts.refs import ArtifactRef

from interlock_artifacts.store import READ_LIMIT, CorruptArtifactError, MissingArtifactError


class MemoryStore:
    """Objects in a dictionary, by key, with the times when they were stored."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.times: dict[str, datetime] = {}

    def put(self, data: bytes, *, holdout: bool = False) -> ArtifactRef:
        ref = ArtifactRef(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), holdout=holdout)
        self.put_latest(ref.key, data)
        return ref

    def put_file(self, path: Path, *, holdout: bool = False) -> ArtifactRef:
        return self.put(path.read_bytes(), holdout=holdout)

    def fetch(self, ref: ArtifactRef) -> bytes:
        data = self._get(ref.key)
        if len(data) != ref.bytes or hashlib.sha256(data).hexdigest() != ref.sha256:
            raise CorruptArtifactError(f"{ref.key} does not hold the bytes that its name says")
        return data

    def fetch_file(self, ref: ArtifactRef, path: Path) -> None:
        """Write verified bytes."""
        path.write_bytes(self.fetch(ref))

    def put_once(self, key: str, data: bytes) -> bool:
        if key in self.objects:
            return False
        self.put_latest(key, data)
        return True

    def put_latest(self, key: str, data: bytes) -> None:
        self.objects[key] = data
        self.times[key] = datetime.now(UTC)

    def read(self, key: str, *, limit: int = READ_LIMIT) -> bytes | None:
        data = self.objects.get(key)
        if data is not None and len(data) > limit:
            raise CorruptArtifactError(f"{key} is larger than {limit} bytes")
        return data

    def download(self, key: str, path: Path) -> None:
        """Write a named object."""
        path.write_bytes(self._get(key))

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)
        self.times.pop(key, None)

    def stored_at(self, key: str) -> datetime | None:
        return self.times.get(key)

    def ping(self) -> None:
        """Memory is always within reach."""

    def _get(self, key: str) -> bytes:
        try:
            return self.objects[key]
        except KeyError:
            raise MissingArtifactError(f"nothing is stored under {key}") from None
