"""A Ray head on loopback with a token; jobs that it runs inherit its environment."""

import compileall
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from interlock_cli.stack.environs import plain_environment
from interlock_cli.stack.home import Home
from interlock_cli.stack.part import Process
from interlock_cli.terminal import Failure

OBJECT_STORE_BYTES = 256 * 1024 * 1024
COMPILE_SECONDS = 300
IMPORTS = "import ray.dashboard.dashboard, ray.dashboard.agent, ray.dashboard.modules.job.job_head, ray.job_submission"
"""What the head's dozen processes import, all at the same time."""


def process(home: Home, ports: Mapping[str, int], store: Mapping[str, str]) -> Process:
    """Return the head's process; ``store`` are the settings that trainings on it get, and no other secret."""
    temporary = home.run / "ray"
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
    env = plain_environment() | {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else it binds to the host's address
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(home.secret_path("ray_token")),
        "RAY_USAGE_STATS_ENABLED": "0",
        **store,
    }

    def prepare() -> None:
        # Every start makes a folder of logs and sockets; those of earlier starts are of no use to anyone.
        shutil.rmtree(temporary, ignore_errors=True)
        _compile()

    start = (sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats")
    return Process(argv=(*start, *arguments), env=env, prepare=prepare, stop_seconds=5)


def _compile() -> None:
    """Compile Ray and what it imports, once: its processes compiling it all at once run into its time limits."""
    spec = importlib.util.find_spec("ray")
    if spec is None or not spec.submodule_search_locations:
        raise Failure("the package ray is missing", hint="make setup, or set INTERLOCK_RAY_ADDRESS")
    package = Path(spec.submodule_search_locations[0])
    last = package / "dashboard" / "dashboard.py"
    if Path(importlib.util.cache_from_source(str(last))).exists():
        return
    for part in ("_private", "dashboard", "scripts", "runtime_env", "job_submission"):
        compileall.compile_dir(package / part, quiet=2, workers=len(os.sched_getaffinity(0)))
    subprocess.run(
        [sys.executable, "-c", IMPORTS],
        env=plain_environment(),
        capture_output=True,
        timeout=COMPILE_SECONDS,
        check=False,
    )
