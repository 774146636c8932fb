"""Rights to a few prefixes of the store for a while, for a program that runs where others could look into it."""

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
    """Lends a part of a role's rights by ``AssumeRole`` with an inline policy, as AWS, MinIO and SeaweedFS know it.

    ``store`` are the arguments of the service's own ``S3Store``, ``role`` the ARN of a role that it may take, and
    ``endpoint`` the security token service, at MinIO and SeaweedFS the store itself.
    """

    store: Mapping[str, str]
    role: str
    endpoint: str

    def issue(self, name: str, prefix: str, until: datetime, *, reads: Sequence[str] = ()) -> dict[str, str]:
        """Return ``INTERLOCK_S3_*`` variables that hold until then, an hour at least.

        They read and write below ``prefix`` and ``sha256/``, and read the keys in ``reads``; they list and delete
        nothing. ``name`` stands in the store's own records.

        Raises:
            StoreUnavailableError: the store does not answer, or lends this service nothing.
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
            lent = provider.retrieve()
        except (urllib3.exceptions.HTTPError, ValueError, ParseError) as error:
            raise StoreUnavailableError(f"the object store lends no rights to {self.role}: {error}") from error
        keys = {"access_key": lent.access_key, "secret_key": lent.secret_key, "session_token": lent.session_token or ""}
        return {f"INTERLOCK_S3_{name.upper()}": value for name, value in {**self.store, **keys}.items()}


def credential_issuer_of(store: Mapping[str, str], role: str | None, endpoint: str | None) -> CredentialIssuer | None:
    """Return who lends rights of ``role``, None where no role is named; the store is its own token service."""
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
