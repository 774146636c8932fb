"""Environment of a program that runs as a job: it has no settings of its own but these variables."""

import os
from pathlib import Path

from interlock_artifacts import S3Store


def store_of_environment() -> S3Store:
    """Return the store that its variables name, secrets by ``*_FILE`` too.

    Raises:
        KeyError: a variable is missing.
    """
    region = os.environ.get("INTERLOCK_S3_REGION") or "us-east-1"
    bucket = os.environ.get("INTERLOCK_S3_BUCKET") or "interlock"
    endpoint = os.environ["INTERLOCK_S3_ENDPOINT"]
    keys = _secret("INTERLOCK_S3_ACCESS_KEY"), _secret("INTERLOCK_S3_SECRET_KEY")
    token = os.environ.get("INTERLOCK_S3_SESSION_TOKEN") or None
    return S3Store(endpoint, *keys, bucket, region, session_token=token)


def cluster_address() -> str | None:
    """Return the cluster that runs this program, which Ray names in a job's environment; None outside of one."""
    return os.environ.get("RAY_ADDRESS") or None


def _secret(name: str) -> str:
    """Return a secret, or the content of the file that ``<name>_FILE`` names."""
    value = os.environ.get(name)
    return value or Path(os.environ[f"{name}_FILE"]).read_text().strip()
