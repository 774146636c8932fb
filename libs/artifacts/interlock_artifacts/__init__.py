"""Content-addressed objects over any S3."""

from interlock_artifacts.memory import MemoryStore
from interlock_artifacts.s3 import S3Store
from interlock_artifacts.store import ArtifactStore, CorruptArtifactError, MissingArtifactError, delete_unless_young

__all__ = [
    "ArtifactStore",
    "CorruptArtifactError",
    "MemoryStore",
    "MissingArtifactError",
    "S3Store",
    "delete_unless_young",
]
