"""From a reference to a model that is proven: every byte verified, parsed, and asked once before anyone else asks."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from interlock_artifacts import ArtifactStore
from interlock_contracts.refs import ArtifactRef, ModelRef
from interlock_modeling import Model, ModelDescription
from interlock_modeling.signature import Feature, Signature

KEEP_BYTES = 4 * 1024**3
"""How much of what was loaded before stays in the cache folder, the newest first."""

_A_VALUE = {"number": 0.0, "integer": 0, "boolean": False, "category": "", "datetime": "2020-01-01T00:00:00Z"}


class Loader:
    """Loads models from the object store through a folder that all workers of a host share.

    The folder holds files named by their SHA-256. They are mapped, not read, so workers share their memory too; a
    file may be removed while it is mapped, but is never written to again once it has its name.
    """

    def __init__(self, artifacts: ArtifactStore, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to somebody else; name another in INTERLOCK_CACHE_DIR")
        self._artifacts = artifacts
        self._folder = folder

    def load(self, ref: ModelRef) -> Model:
        """Return the model of ``ref``, verified and warm; blocks.

        Raises:
            CorruptArtifactError, MissingArtifactError: the store does not hold the bytes that ``ref`` names.
            ModelFormatError: the bytes are no model that this version knows.
            InvalidRowsError: the model gives no finite answer to an ordinary row.
            ConnectionError: the store is down, and not all is in the folder.
        """
        description = ModelDescription.parse(self._file(ref.artifact).read_bytes())
        model = Model.load(description, self._file(description.engine.ref))
        model.predict_rows(sample_rows(description.signature))
        self._forget_oldest()
        return model

    def _file(self, ref: ArtifactRef) -> Path:
        path = self._folder / ref.sha256
        if not _holds(path, ref):
            partial = self._folder / f".{ref.sha256}.{uuid4().hex}"
            try:
                self._artifacts.fetch_file(ref, partial)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        return path

    def _forget_oldest(self) -> None:
        """Keep the folder small; what another worker removes first is gone all the same."""
        used = 0
        with suppress(FileNotFoundError):
            for path in sorted(self._folder.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True):
                used += path.stat().st_size
                if used > KEEP_BYTES:
                    path.unlink()


def _holds(path: Path, ref: ArtifactRef) -> bool:
    """Return whether ``path`` holds the very bytes of ``ref``, and mark it as used."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return False
    os.utime(path)
    return digest == ref.sha256


def sample_rows(signature: Signature) -> list[dict[str, object]]:
    """Return ordinary rows: one with a value in every column, one with only those that may not be missing."""
    full = {feature.name: _value(feature) for feature in signature.features}
    sparse = {feature.name: full[feature.name] for feature in signature.features if not feature.nullable}
    return [full, sparse]


def _value(feature: Feature) -> object:
    if feature.values:
        return feature.values[0]
    bound = feature.min if feature.min is not None else feature.max
    if bound is None:
        return _A_VALUE[feature.type]
    return int(bound) if feature.type == "integer" else bound
