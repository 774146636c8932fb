"""DVC's remotes in S3, with the credentials that AWS's own tools would use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from interlock_cli.dvc.pointers import CHUNK, Digests, copied
from interlock_cli.terminal import CommandError

try:
    from minio import Minio
    from minio.credentials.providers import AWSConfigProvider, ChainedProvider, EnvAWSProvider, IamAwsProvider
    from minio.error import MinioException, S3Error
    from urllib3.exceptions import HTTPError
except ModuleNotFoundError as error:
    raise CommandError("a remote in S3 needs the package minio: install interlock-cli[dvc]") from error

AWS = "https://s3.amazonaws.com"
_ABSENT = ("NoSuchKey", "NoSuchObject")


class S3Prefix(NamedTuple):
    """A remote that is a prefix of a bucket; every method raises CommandError where S3 refuses."""

    client: Minio
    bucket: str
    prefix: str

    @classmethod
    def of(cls, url: str, endpoint: str | None) -> "S3Prefix":
        """Return the remote ``s3://bucket/prefix``, at an endpoint that is configured, in the environment, or AWS's."""
        address = urlsplit(url)
        named = endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or AWS
        server = urlsplit(named)
        if not address.netloc or server.scheme not in ("http", "https"):
            raise CommandError(f"{url} at {named} is no address in S3; write s3://bucket/prefix")
        client = Minio(
            server.netloc,
            secure=server.scheme == "https",
            region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
            credentials=ChainedProvider([EnvAWSProvider(), AWSConfigProvider(), IamAwsProvider()]),
        )
        return cls(client, address.netloc, address.path.strip("/"))

    def fetch(self, key: str, to: Path) -> Digests | None:
        """Write the object to a file; None where there is none."""
        with self._told():
            try:
                answer = self.client.get_object(self.bucket, self._name(key))
            except S3Error as error:
                if error.code in _ABSENT:
                    return None
                raise
            with answer, to.open("wb") as target:
                return copied(answer.read, target.write)

    def store(self, key: str, file: Path) -> None:
        """Store a file as the object, unless it is there."""
        with self._told():
            try:
                self.client.stat_object(self.bucket, self._name(key))
            except S3Error as error:
                if error.code not in _ABSENT:
                    raise
                self.client.fput_object(self.bucket, self._name(key), str(file), part_size=max(CHUNK * 8, 5 << 20))

    def _name(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (MinioException, HTTPError, ValueError) as error:
            raise CommandError(f"the remote s3://{self.bucket}/{self.prefix}: {error}") from error
