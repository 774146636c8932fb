"""With one service's keys of the object store you reach the prefixes that it works with, and no others."""

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from interlock_artifacts import CorruptArtifactError, S3Store
from minio import Minio
from minio.commonconfig import CopySource
from minio.error import S3Error

from tests.security.stolen import WITH_STORE, environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

BUCKET = "interlock"
PREFIXES = ("sha256", "holdout", "runs", "predictions", "incoming")
READS = {
    "ingest": {"sha256", "holdout", "incoming"},
    "train_dispatch": {"sha256", "runs"},
    "registry": {"sha256"},
    "evaluation_gate": {"sha256", "holdout"},
    "prediction": {"sha256", "holdout", "incoming", "predictions"},
    "gateway": {"sha256"},
}
WRITES = {"ingest": {"holdout"}, "prediction": {"predictions"}}


def client(settings: dict[str, str], prefix: str = "INTERLOCK") -> Minio:
    endpoint = settings["INTERLOCK_S3_ENDPOINT"].removeprefix("http://")
    keys = settings[f"{prefix}_S3_ACCESS_KEY"], settings[f"{prefix}_S3_SECRET_KEY"]
    token = settings.get(f"{prefix}_S3_SESSION_TOKEN")
    return Minio(endpoint, *keys, token, secure=False, region="us-east-1")


def put(store: Minio, key: str) -> None:
    store.put_object(BUCKET, key, io.BytesIO(b"planted"), 7)


def refused(ask: Any) -> bool:
    try:
        ask()
    except S3Error as error:
        return error.code == "AccessDenied"
    return False


@pytest.fixture
def admin(stack: dict[str, str]) -> Minio:
    """Return a client with all rights, which has put one object below each prefix."""
    made = client(stack, "INTERLOCK_ADMIN")
    for prefix in PREFIXES:
        put(made, f"{prefix}/tests/object")
    return made


@pytest.mark.parametrize("part", WITH_STORE)
def test_keys_reach_their_own_prefixes_only(stack: dict[str, str], admin: Minio, part: str) -> None:
    """Reading, writing, deleting and copying; the holdout is for ingest, the gate, and whole-file answers."""
    assert admin.bucket_exists(BUCKET)
    thief = client(environment(stack, part))
    for prefix in PREFIXES:
        key = f"{prefix}/tests/object"
        may_read, may_write = prefix in READS[part], prefix in WRITES.get(part, set()) | {"sha256"}
        assert refused(lambda key=key: thief.get_object(BUCKET, key)) is not may_read, prefix
        assert refused(lambda key=key: put(thief, key)) is not may_write, prefix
        source = CopySource(BUCKET, key)
        assert refused(lambda source=source: thief.copy_object(BUCKET, "sha256/tests/copy", source)) is not may_read
        if not may_write:
            assert refused(lambda key=key: thief.remove_object(BUCKET, key)), prefix


@pytest.mark.parametrize("part", WITH_STORE)
def test_keys_make_nobody_an_administrator(stack: dict[str, str], part: str) -> None:
    """No bucket, no policy, no identity."""
    thief = client(environment(stack, part))
    assert refused(lambda: thief.make_bucket("planted"))
    assert refused(lambda: thief.set_bucket_policy(BUCKET, '{"Version": "2012-10-17", "Statement": []}'))


def test_other_bytes_under_a_digest_are_not_believed(stack: dict[str, str]) -> None:
    """Who may write below `sha256/` may spoil an object, and thereby serve nothing: readers verify what they get."""
    env = environment(stack, "ingest")
    keys = env["INTERLOCK_S3_ACCESS_KEY"], env["INTERLOCK_S3_SECRET_KEY"]
    store = S3Store(env["INTERLOCK_S3_ENDPOINT"], *keys, BUCKET)
    ref = store.put(b"a model that the gate let through")
    put(client(environment(stack, "gateway")), ref.key)
    with pytest.raises(CorruptArtifactError):
        store.fetch(ref)


@pytest.mark.parametrize(
    ("port", "path", "methods"),
    [
        ("s3_filer", "buckets/interlock/holdout/tests/object", ("GET", "POST", "DELETE")),
        ("s3_volume", "1,01", ("GET",)),
    ],
)
def test_no_port_of_the_store_goes_around_its_rights(
    stack: dict[str, str], admin: Minio, port: str, path: str, methods: tuple[str, ...]
) -> None:
    """SeaweedFS serves files past S3 too: without its internal keys it would give the holdout to anybody."""
    assert admin.bucket_exists(BUCKET)
    number = json.loads((Path(stack["INTERLOCK_HOME"]) / "ports.json").read_text())[port]
    for method in methods:
        assert httpx.request(method, f"http://127.0.0.1:{number}/{path}").status_code == httpx.codes.UNAUTHORIZED
