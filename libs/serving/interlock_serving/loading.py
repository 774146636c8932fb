"""From a reference to a model that is proven: every byte verified, validated elsewhere first, then mapped and warm."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from interlock_contracts.refs import ArtifactRef, ModelRef
from interlock_modeling import Model, ModelDescription, ModelFormatError

from interlock_serving.cache import Cache
from interlock_serving.smoke_test.check import check
from interlock_serving.smoke_test.client import RefusedModelError

REFUSED_SECONDS = 5.0
"""How long a refusal holds for all workers of a host; shorter than the first backoff of any of them."""

Validate = Callable[[Path, Path], None]
"""Smoke-tests a model, given its description's file and its engine's; raises where it is refused."""


class Stored(Protocol):
    """Whatever has a model's location: a reference to a version, or the event that requests its evaluation."""

    @property
    def artifact(self) -> ArtifactRef:
        """Return the model's description, which names its engine."""
        ...


class Loader:
    """Loads models through the host's folder: fetched, verified and validated once a host, mapped by every worker."""

    def __init__(self, cache: Cache, validate: Validate) -> None:
        self._cache = cache
        self._validate = validate
        self._mapped_untested: dict[str, tuple[Path, Path]] = {}

    def size(self, ref: Stored) -> int:
        """Return how many bytes the model takes: its engine, mapped, and its description; blocks.

        Raises:
            CorruptArtifactError, MissingArtifactError, ModelFormatError, ConnectionError: as for :meth:`load`.
        """
        description = ModelDescription.parse(self._cache.file(ref.artifact).read_bytes())
        return ref.artifact.bytes + description.engine.ref.bytes

    def load(self, ref: Stored) -> Model:
        """Return the model of ``ref``, verified and warm; blocks.

        Raises:
            CorruptArtifactError, MissingArtifactError: the store does not hold the bytes that ``ref`` names.
            ModelFormatError: the bytes are no model that this version knows.
            RefusedModelError: it fails the smoke test in the child process.
            InvalidRowsError: the model gives no finite answer to an ordinary row.
            ConnectionError: the store is down, and not all is in the folder.
        """
        if (validated := self._validated(ref)) is not None:
            with suppress(FileNotFoundError):  # another worker has made room in the folder this very moment
                return _mapped(*validated)
        model = _mapped(*self._fetch_and_validate(ref))
        self._cache.forget_oldest()
        return model

    def warm_validator(self) -> None:
        """Warm up the validator: smoke-test again one sound model of each kind that was mapped without one; blocks.

        After a start, when nothing new has come yet, the validator is ready then for the kinds that serve here.
        """
        while self._mapped_untested:
            _, parts = self._mapped_untested.popitem()
            with suppress(RefusedModelError, ConnectionError, FileNotFoundError):
                self._validate(*parts)

    def forget(self, ref: Stored) -> None:
        """Remove the host's copy of a model that was deleted, as far as no other model here shares it; blocks.

        Who has mapped it answers on; whoever loads it again fetches it again.
        """
        digest = ref.artifact.sha256
        with self._cache.locked(digest), suppress(FileNotFoundError, ModelFormatError):
            description = ModelDescription.parse(self._cache.path(digest).read_bytes())
            self._cache.forget(digest, description.engine.ref.sha256)

    def _validated(self, ref: Stored) -> tuple[ModelDescription, Path] | None:
        """Return the parts of a model that this host has verified and found sound, without reading them through."""
        result = self._cache.smoke_test_result(ref.artifact.sha256)
        if result is None:
            return None
        if result.reason is not None:
            if result.age() < REFUSED_SECONDS:
                raise RefusedModelError(result.reason)
            return None
        description = ModelDescription.parse(self._cache.path(ref.artifact.sha256).read_bytes())
        engine = description.engine.ref.sha256
        if not {ref.artifact.sha256, engine} <= result.files.keys():
            return None
        path = self._cache.path(engine)
        self._mapped_untested.setdefault(description.engine.kind, (self._cache.path(ref.artifact.sha256), path))
        return description, path

    def _fetch_and_validate(self, ref: Stored) -> tuple[ModelDescription, Path]:
        """Fetch, verify and smoke-test the model, unless another worker of the host has done so meanwhile."""
        with self._cache.locked(ref.artifact.sha256):
            if (validated := self._validated(ref)) is not None:
                return validated
            described = self._cache.file(ref.artifact)
            description = ModelDescription.parse(described.read_bytes())
            engine = self._cache.file(description.engine.ref)
            files = {ref.artifact.sha256: described, description.engine.ref.sha256: engine}
            try:
                self._validate(described, engine)
            except RefusedModelError as error:
                self._cache.record_result(ref.artifact.sha256, files, reason=str(error))
                raise
            self._cache.record_result(ref.artifact.sha256, files)
            return description, engine


class BlockingLoader(Protocol):
    """:class:`Loader`, as far as a process needs it that serves; a test may bring its own."""

    def size(self, ref: ModelRef) -> int:
        """Return how many bytes the model of ``ref`` takes."""

    def load(self, ref: ModelRef) -> Model:
        """Return the model of ``ref``, verified and warm."""


class ThreadedLoader:
    """Loads in threads of its own: a store that hangs must not take those that large predictions run in."""

    def __init__(self, loader: BlockingLoader) -> None:
        self._loader = loader
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="load")

    async def size(self, ref: ModelRef) -> int:
        """Return how many bytes the model of ``ref`` takes; raises as :meth:`Loader.size` does."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._loader.size, ref)

    async def load(self, ref: ModelRef) -> Model:
        """Return the model of ``ref``, verified and warm; raises as :meth:`Loader.load` does."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._loader.load, ref)

    def close(self) -> None:
        """Start no further load."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _mapped(description: ModelDescription, engine: Path) -> Model:
    model = Model.load(description, engine)
    check(model)
    return model
