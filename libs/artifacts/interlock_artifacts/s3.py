"""The store over any S3, through the ``minio`` client, with calls that MinIO, AWS and SeaweedFS answer alike."""

import hashlib
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

import urllib3
from interlock_contracts.refs import ArtifactRef
from minio import Minio
from minio.datatypes import Object
from minio.error import InvalidResponseError, S3Error, ServerError

from interlock_artifacts.store import (
    READ_LIMIT,
    YOUNG,
    CorruptArtifactError,
    MissingArtifactError,
    StoreUnavailableError,
)

CHUNK = 1024 * 1024
TIMEOUT_SECONDS = 30.0

_ABSENT = {"NoSuchKey", "NoSuchObject"}
_THERE_ALREADY = {"PreconditionFailed", "ConditionalRequestConflict"}
_BUSY = {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "NoSuchBucket"}
_MENDED_BY_A_PERSON = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "RequestTimeTooSkewed"}
"""Keys that are wrong, or a clock that is: everybody's trouble, and no fault of what is stored or fetched."""


class OpenedObject(NamedTuple):
    """An object on its way: what it is read from, and how many bytes it has."""

    content: Any
    size: int


class S3Store:
    """One bucket of an S3 endpoint such as ``http://127.0.0.1:9000``."""

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        bucket: str,
        region: str = "us-east-1",
        *,
        session_token: str | None = None,
    ) -> None:
        address = urlsplit(endpoint)
        self._bucket = bucket
        self._client = Minio(
            address.netloc,
            access_key=access_key,
            secret_key=secret_key,
            session_token=session_token,
            secure=address.scheme == "https",
            region=region,
            http_client=urllib3.PoolManager(
                timeout=urllib3.Timeout(connect=5, read=TIMEOUT_SECONDS),
                maxsize=16,
                retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
            ),
        )

    def make_bucket(self) -> None:
        """Make the bucket unless it is there."""
        with _translated(self._bucket):
            if not self._client.bucket_exists(self._bucket):
                self._client.make_bucket(self._bucket)

    def put(self, data: bytes, *, holdout: bool = False) -> ArtifactRef:
        ref = ArtifactRef(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), holdout=holdout)
        if not self._holds(ref):
            self.put_latest(ref.key, data)
        return ref

    def put_file(self, path: Path, *, holdout: bool = False) -> ArtifactRef:
        """Store a file by content, in parts where it is large."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        ref = ArtifactRef(sha256=digest, bytes=path.stat().st_size, holdout=holdout)
        if not self._holds(ref):
            with _translated(ref.key):
                self._client.fput_object(self._bucket, ref.key, str(path))
        return ref

    def fetch(self, ref: ArtifactRef) -> bytes:
        """Return verified bytes."""
        buffer = io.BytesIO()
        self._copy(ref.key, buffer, expected=ref)
        return buffer.getvalue()

    def fetch_file(self, ref: ArtifactRef, path: Path) -> None:
        """Write verified bytes; a reader of ``path`` never sees half of them."""
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".fetch-", delete=False) as file:
            try:
                self._copy(ref.key, file, expected=ref)
                file.flush()
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink()
                raise

    def put_once(self, key: str, data: bytes) -> bool:
        """Store unless there, by a conditional put."""
        try:
            with _translated(key):
                # put_object has no parameter for the condition; the header is signed like any other.
                self._client._execute(  # noqa: SLF001
                    "PUT", self._bucket, key, body=data, headers={"If-None-Match": "*", **_length(data)}
                )
        except S3Error as error:
            if error.code in _THERE_ALREADY:
                return False
            raise
        return True

    def put_latest(self, key: str, data: bytes) -> None:
        self.put_stream(key, io.BytesIO(data), len(data))

    def read(self, key: str, *, limit: int = READ_LIMIT) -> bytes | None:
        buffer = io.BytesIO()
        try:
            self._copy(key, buffer, limit=limit)
        except MissingArtifactError:
            return None
        return buffer.getvalue()

    def download(self, key: str, path: Path) -> None:
        """Write a named object."""
        with path.open("wb") as file:
            self._copy(key, file)

    def delete(self, key: str) -> None:
        with _translated(key):
            self._client.remove_object(self._bucket, key)

    def list_keys(self) -> Iterator[str]:
        """Yield the keys of all objects; for an administrator, as services may not list."""
        with _translated(self._bucket):
            for found in self._client.list_objects(self._bucket, recursive=True):
                if not found.is_dir and found.object_name is not None:
                    yield found.object_name

    @contextmanager
    def opened(self, key: str) -> Iterator[OpenedObject]:
        """Yield an object of any size as it comes from the store.

        Raises:
            MissingArtifactError: nothing is stored under ``key``.
        """
        with self._response(key) as response:
            yield OpenedObject(response, int(response.headers["Content-Length"]))

    def put_stream(self, key: str, content: IO[bytes], size: int) -> None:
        """Store ``size`` bytes of a stream under ``key``, over what may be there."""
        with _translated(key):
            self._client.put_object(self._bucket, key, content, size)  # type: ignore[arg-type]  # it only reads

    def ping(self) -> None:
        """List an unused prefix: on SeaweedFS a list takes fewer rights than a look at the bucket itself."""
        with _translated(self._bucket):
            next(iter(self._client.list_objects(self._bucket, prefix="ping/")), None)

    def stored_at(self, key: str) -> datetime | None:
        found = self._stat(key)
        return found.last_modified if found is not None else None

    def _holds(self, ref: ArtifactRef) -> bool:
        """Return whether the object is there, and so young that whoever deletes lets it be."""
        found = self._stat(ref.key)
        if found is None or found.last_modified is None or found.size != ref.bytes:
            return False
        return found.last_modified > datetime.now(UTC) - YOUNG

    def _stat(self, key: str) -> Object | None:
        try:
            with _translated(key):
                return self._client.stat_object(self._bucket, key)
        except MissingArtifactError:
            return None

    @contextmanager
    def _response(self, key: str) -> Iterator[Any]:
        """Yield the store's answer, whose body is still to be read; its connection is given back in the end."""
        with _translated(key):
            response = self._client.get_object(self._bucket, key)
            try:
                yield response
            finally:
                response.close()
                response.release_conn()

    def _copy(self, key: str, file: Any, *, expected: ArtifactRef | None = None, limit: int | None = None) -> None:
        digest, size = hashlib.sha256(), 0
        most = expected.bytes if expected is not None else limit
        with self._response(key) as response:
            for chunk in response.stream(CHUNK):
                size += len(chunk)
                if most is not None and size > most:
                    raise CorruptArtifactError(f"{key} is larger than {most} bytes")
                digest.update(chunk)
                file.write(chunk)
        if expected is not None and (size != expected.bytes or digest.hexdigest() != expected.sha256):
            raise CorruptArtifactError(f"{key} does not hold the bytes that its name says")


def _length(data: bytes) -> dict[str, str]:
    return {"Content-Length": str(len(data)), "Content-Type": "application/json"}


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        if error.code in _ABSENT:
            raise MissingArtifactError(f"nothing is stored under {key}") from error
        if error.code in _BUSY | _MENDED_BY_A_PERSON:
            raise StoreUnavailableError(f"the object store: {error.code}") from error
        raise
    except (urllib3.exceptions.HTTPError, InvalidResponseError, ServerError) as error:
        raise StoreUnavailableError(f"the object store: {error}") from error
