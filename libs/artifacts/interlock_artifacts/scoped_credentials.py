"""Scoped temporary credentials for jobs (STS AssumeRole): a few prefixes of the store, until a time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import ParseError

import urllib3
from minio.credentials.providers import AssumeRoleProvider

from interlock_artifacts.store import StoreUnavailableError

SHARED = "sha256/*"
"""What every job reads and writes: objects by content, which whoever reads them verifies."""

_LEAST_SECONDS = 3600
_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class CredentialIssuer:
    """Issues credentials for part of a role's rights: ``AssumeRole`` with an inline policy (AWS, MinIO, SeaweedFS).

    ``store`` are the arguments of the service's own ``S3Store``, ``role`` the ARN of a role that it may take, and
    ``endpoint`` the security token service, at MinIO and SeaweedFS the store itself.
    """

    store: Mapping[str, str]
    role: str
    endpoint: str

    def issue(self, name: str, prefix: str, until: datetime, *, reads: Sequence[str] = ()) -> dict[str, str]:
        """Return ``INTERLOCK_S3_*`` variables that are valid until then, an hour at least.

        They read and write below ``prefix`` and ``sha256/``, and read the keys in ``reads``; they list and delete
        nothing. ``name`` stands in the store's own records.

        Raises:
            StoreUnavailableError: the store does not answer, or issues this service no credentials.
        """
        seconds = max(_LEAST_SECONDS, int((until - datetime.now(UTC)).total_seconds()))
        provider = AssumeRoleProvider(
            sts_endpoint=self.endpoint,
            access_key=self.store["access_key"],
            secret_key=self.store["secret_key"],
            region=self.store["region"],
            role_arn=self.role,
            role_session_name=name[:64],
            duration_seconds=seconds,
            policy=json.dumps(policy(self.store["bucket"], prefix, reads), separators=(",", ":")),
            http_client=urllib3.PoolManager(timeout=_TIMEOUT_SECONDS, retries=urllib3.Retry(total=1)),
        )
        try:
            keys = provider.retrieve()
        except (urllib3.exceptions.HTTPError, ValueError, ParseError) as error:
            raise StoreUnavailableError(f"the object store issues no credentials for {self.role}: {error}") from error
        token = keys.session_token or ""
        issued = {"access_key": keys.access_key, "secret_key": keys.secret_key, "session_token": token}
        return {f"INTERLOCK_S3_{name.upper()}": value for name, value in {**self.store, **issued}.items()}


def credential_issuer_of(store: Mapping[str, str], role: str | None, endpoint: str | None) -> CredentialIssuer | None:
    """Return the issuer for ``role``, None where no role is named; by default the store is its own token service."""
    return CredentialIssuer(store, role, endpoint or store["endpoint"]) if role else None


def policy(bucket: str, prefix: str, reads: Sequence[str]) -> dict[str, object]:
    """Return what a job may do, in the language of IAM; an inline policy may have 2048 characters."""
    own = [_arn(bucket, SHARED), _arn(bucket, f"{prefix}/*")]
    writes = ["s3:PutObject", "s3:AbortMultipartUpload"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [*own, *(_arn(bucket, key) for key in reads)]},
            {"Effect": "Allow", "Action": writes, "Resource": own},
        ],
    }


def _arn(bucket: str, key: str) -> str:
    return f"arn:aws:s3:::{bucket}/{key}"
