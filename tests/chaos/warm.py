"""A process that has imported what services take seconds to import: it starts one by fork, in a tenth of the time.

``python -m tests.chaos.warm`` reads a line of JSON for each process to start and writes one for each that has ended.
What runs is ``python -m <module>`` with the environment given and nothing else. When its own input ends, or it dies,
so do all that it has started.
"""

import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import sys
from typing import Any

IMPORTED = (
    "alembic.command",
    "asyncpg",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "interlock_serving.loading",
    "interlock_serving.smoke_test.client",
    "interlock_modeling.engines",
    "interlock_ingest.app",
    "interlock_registry.app",
    "interlock_train_dispatch.app",
    "interlock_evaluation_gate.evaluation",
    "interlock_trainer.training",
)
"""No handlers of gateway, prediction and gate: each process of theirs names itself when it imports them."""

_DIE_WITH_PARENT = 1
LOOK_SECONDS = 0.02


def main() -> None:
    """Import, then start what is asked for and tell what has ended, until the input ends."""
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    with os.fdopen(0, "rb", buffering=0) as orders:  # what stood in a buffer, select would not see
        _tell(ready=True)
        _serve(orders)


def _serve(orders: io.FileIO) -> None:
    running: dict[int, int] = {}
    while True:
        if select.select([0], [], [], LOOK_SECONDS)[0]:
            line = orders.readline()
            if not line:
                return
            order = json.loads(line)
            pid = os.fork()
            if pid == 0:
                _become(order)
            running[pid] = order["number"]
            _tell(number=order["number"], pid=pid)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                _tell(number=running.pop(ended[0]), status=os.waitstatus_to_exitcode(ended[1]))


def _become(order: dict[str, Any]) -> None:
    """Run the module as the interpreter would; never returns."""
    status = 1
    try:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        os.setsid()
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.clear()
        os.environ.update(order["env"])
        sys.argv = [order["module"], *order["arguments"]]
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001 - the interpreter would print it too
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _tell(**what: Any) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main()
