"""Bytecode compilation of everything that Ray and the services import, once per environment.

A dozen processes that compile the same files at the same time run into Ray's own time limits.
"""

import fcntl
import subprocess
import sys
import time
from pathlib import Path

from interlock_contracts.deployment import NAMES

from interlock_localstack.component import Report
from interlock_localstack.environment import base_environment

RAY = """
import ray.scripts.scripts, ray.dashboard.dashboard, ray.dashboard.agent, ray.dashboard.head, ray.job_submission
import ray._private.log_monitor, ray.autoscaler._private.monitor, ray.util.client.server
import ray._private.runtime_env.agent.main
from ray.dashboard.utils import DashboardAgentModule, DashboardHeadModule, get_all_modules
get_all_modules(DashboardHeadModule)
get_all_modules(DashboardAgentModule)
"""
SERVICES = f"""
import {", ".join(f"interlock_{name}.app" for name in NAMES)}
import interlock_trainer.training
import uvicorn, uvloop, httptools
"""
SECONDS = 1800
"""Far more than it takes on a machine that is merely busy."""


def ensure_compiled(report: Report) -> None:
    """Import everything in two processes, unless it was done before; concurrent callers wait for the first."""
    done = Path(sys.prefix) / ".interlock-compiled"
    try:
        lock = (Path(sys.prefix) / ".interlock-compiling").open("w")
    except OSError:  # another user's environment: nothing can be written there
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            return
        report("compiling Python bytecode; needed once")
        running = [
            subprocess.Popen(
                [sys.executable, "-c", code],
                env=base_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for code in (RAY, SERVICES)
        ]
        # An import error is reported when its component starts.
        deadline = time.monotonic() + SECONDS
        for process in running:
            try:
                process.wait(deadline - time.monotonic())
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        done.touch()
