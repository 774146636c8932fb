"""A Ray head on loopback with a token; jobs that it runs inherit its environment."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from interlock_localstack.bytecode import ensure_compiled
from interlock_localstack.component import Process, Report
from interlock_localstack.environment import base_environment
from interlock_localstack.state_dir import StateDir

OBJECT_STORE_BYTES = 256 * 1024 * 1024


def python(state_dir: StateDir) -> str:
    """Return this interpreter's path as Ray can use it, which puts it into shell commands without quotes.

    Where it needs them, for a space for instance, it leads through a link in the folder of sockets.
    """
    if shlex.quote(sys.executable) == sys.executable:
        return sys.executable
    return str(_link(state_dir) / "bin" / Path(sys.executable).name)


def _link(state_dir: StateDir) -> Path:
    return state_dir.run / "environment"


def process(state_dir: StateDir, ports: Mapping[str, int], store: Mapping[str, str]) -> Process:
    """Return the head's process; ``store`` are the settings that trainings on it get, and no other secret."""
    temporary = state_dir.run / "ray"
    options = {
        "node-ip-address": "127.0.0.1",
        "port": ports["ray_gcs"],
        "dashboard-host": "127.0.0.1",
        "dashboard-port": ports["ray"],
        "include-dashboard": "true",
        "num-cpus": len(os.sched_getaffinity(0)),
        "num-gpus": 0,
        "object-store-memory": OBJECT_STORE_BYTES,
        "ray-client-server-port": ports["ray_client"],
        "object-manager-port": ports["ray_objects"],
        "node-manager-port": ports["ray_node"],
        "dashboard-agent-listen-port": ports["ray_agent"],
        "dashboard-agent-grpc-port": ports["ray_agent_grpc"],
        "runtime-env-agent-port": ports["ray_environments"],
        "metrics-export-port": ports["ray_metrics"],
        "min-worker-port": 0,
        "max-worker-port": 0,
        "temp-dir": temporary,
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    env = base_environment() | {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else it binds to the host's address
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(state_dir.secret_path("ray_token")),
        "RAY_USAGE_STATS_ENABLED": "0",
        "SPT_NOENV": "1",  # else Ray's processes write their titles over the environment, and the stack's mark in it
        **store,
    }

    def prepare(report: Report) -> None:
        # Every start makes a folder of logs and sockets; those of earlier starts are of no use to anyone.
        shutil.rmtree(temporary, ignore_errors=True)
        _link(state_dir).unlink(missing_ok=True)
        _link(state_dir).symlink_to(sys.prefix)
        ensure_compiled(report)

    start = (python(state_dir), "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats")
    return Process(argv=(*start, *arguments), env=env, prepare=prepare, stop_seconds=5, max_starts=10)
