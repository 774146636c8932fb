"""The object store as the services see it: bytes by content, and two kinds of named objects."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, runtime_checkable

from interlock_contracts.refs import ArtifactRef

READ_LIMIT = 64 * 1024 * 1024
"""Largest named object that is read into memory, in bytes."""


YOUNG = timedelta(minutes=5)
"""Objects by content that are there and younger are not stored again."""


class CorruptArtifactError(Exception):
    """The stored bytes are not those that the reference names."""


class MissingArtifactError(Exception):
    """Nothing is stored under the key."""


class StoreUnavailableError(ConnectionError):
    """The object store does not answer; waiting helps."""


@runtime_checkable
class ArtifactStore(Protocol):
    """Content-addressed objects, verified on read; synchronous, so that services call it in a thread.

    Every method may raise :class:`StoreUnavailableError`.
    """

    def put(self, data: bytes, *, holdout: bool = False) -> ArtifactRef:
        """Store ``data`` under its digest and return the reference; storing it again makes it young, and no more."""
        ...

    def put_file(self, path: Path, *, holdout: bool = False) -> ArtifactRef:
        """Store a file of any size under its digest, without reading it into memory."""
        ...

    def fetch(self, ref: ArtifactRef) -> bytes:
        """Return the bytes of ``ref``, verified.

        Raises:
            MissingArtifactError, CorruptArtifactError: there is no such object, or it has other bytes.
        """
        ...

    def fetch_file(self, ref: ArtifactRef, path: Path) -> None:
        """Write the bytes of ``ref`` to ``path``, which appears only once they are verified.

        Raises:
            MissingArtifactError, CorruptArtifactError: there is no such object, or it has other bytes.
        """
        ...

    def put_once(self, key: str, data: bytes) -> bool:
        """Store ``data`` under ``key`` unless something is there; return whether it was stored."""
        ...

    def put_latest(self, key: str, data: bytes) -> None:
        """Store ``data`` under ``key``, over what may be there."""
        ...

    def read(self, key: str, *, limit: int = READ_LIMIT) -> bytes | None:
        """Return what is stored under ``key``, None when nothing is; unverified, for named objects only.

        Raises:
            CorruptArtifactError: the object is larger than ``limit`` bytes.
        """
        ...

    def download(self, key: str, path: Path) -> None:
        """Write what is stored under ``key`` to ``path``; unverified, for named objects only.

        Raises:
            MissingArtifactError: nothing is stored under ``key``.
        """
        ...

    def delete(self, key: str) -> None:
        """Delete what is under ``key``, if anything is.

        Objects by content may have several owners: delete only what cannot be another's, because it names its owner,
        or because nothing else refers to it and it was not stored of late (:meth:`stored_at`).
        """
        ...

    def stored_at(self, key: str) -> datetime | None:
        """Return when something was last stored under ``key``, None when nothing is there.

        Of an object by content it may be up to ``YOUNG`` too early: younger ones are not stored again.
        """
        ...

    def ping(self) -> None:
        """Raise where the store does not answer or the bucket is not there."""
        ...


def delete_unless_young(store: ArtifactStore, key: str, grace: timedelta) -> bool:
    """Delete an object by content without references; False where it stays, for it was stored within ``grace``.

    Whoever has stored it of late may be about to refer to it.
    """
    stored_at = store.stored_at(key)
    if stored_at is not None and stored_at > datetime.now(UTC) - grace:
        return False
    store.delete(key)
    return True
