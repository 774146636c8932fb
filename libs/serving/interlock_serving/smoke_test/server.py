"""Server of smoke tests: ``python -m interlock_serving.smoke_test.server LISTENER LOCK``, one a host, warm and idle.

Every question is answered by a fork of its own, which has the libraries already, loads the model under limits of
memory, processor time and wall-clock time, and ends after it. A parser that crashes ends only that fork; its exit is
reported by this process, which itself never reads a byte of any model. It learns one thing only: which of our own
engines a smoke test needed, so that the next one has them already. It ends when its standard input is closed, that is
with the worker that started it, however that ends.

A question is ``{"description": path, "engine": path, "seconds": limit}`` in one line; the answer ``{"refused":
reason}``, the reason null for a sound model. No answer before the end of the connection: this process was stopped.
"""

import gc
import importlib
import json
import os
import pkgutil
import resource
import selectors
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

os.putenv("OPENBLAS_NUM_THREADS", "1")  # before NumPy comes: a process with threads should not fork

from interlock_modeling import Model, ModelDescription, engines

from interlock_serving.smoke_test.check import check

MEMORY_BYTES = 1024**3
"""What a smoke test may take beyond the eightfold of the model's own bytes."""

_POLITE = 5

_ENGINES = "interlock_modeling.engines."

_LIMITS = {
    signal.SIGALRM: "takes longer than {seconds:g} s",
    signal.SIGXCPU: "takes more than {seconds:g} s of processor time",
    signal.SIGKILL: "was killed, by the system where memory is short",
}


@dataclass(frozen=True)
class _SmokeTest:
    connection: socket.socket
    seconds: float
    needed: int
    """A pipe that will hold the names of the engines' modules that it had to import."""


def serve(listener: socket.socket, lock: BinaryIO, lifeline: int) -> None:
    """Answer until ``lifeline`` is closed; no fork keeps ``lock``, which is held while a validator runs."""
    woken, wake = socket.socketpair()
    for end in (woken, wake, listener):
        end.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, _SmokeTest] = {}
    with selectors.DefaultSelector() as ready:
        for file in (listener, woken, lifeline):
            ready.register(file, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is listener:
                    _begin(listener, running, inherited=(ready, woken, wake, listener, lock))
                elif key.fileobj is woken:
                    woken.recv(4096)
                    _finish(running)
                else:
                    for child in running:
                        os.kill(child, signal.SIGKILL)
                    return


def _begin(listener: socket.socket, running: dict[int, _SmokeTest], *, inherited: Any) -> None:
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return
    connection.settimeout(5)
    try:
        question = json.loads(connection.makefile("r").readline())
    except (OSError, ValueError):
        connection.close()
        return
    needed, needs = os.pipe()
    child = os.fork()
    if child:
        os.close(needs)
        running[child] = _SmokeTest(connection, question["seconds"], needed)
        return
    signal.set_wakeup_fd(-1)
    for each in inherited:
        each.close()
    known = set(sys.modules)
    _answer(connection, _tried(**question))
    os.write(needs, "\n".join(name for name in set(sys.modules) - known if name.startswith(_ENGINES)).encode())
    os._exit(0)


def _tried(description: str, engine: str, seconds: float) -> str | None:
    """Return why the model is refused, None when it is sound; may not return at all."""
    _limit(seconds, Path(engine).stat().st_size)
    try:
        model = Model.load(ModelDescription.parse(Path(description).read_bytes()), Path(engine))
        check(model)
    except MemoryError:
        return "takes more memory than a model of its size should"
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is refused
        return f"{type(error).__name__}: {error}"
    return None


def _limit(seconds: float, size: int) -> None:
    for number in (signal.SIGALRM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if _LINUX else 0
    memory = used + MEMORY_BYTES + 8 * size
    processor = max(1, round(seconds))
    for what, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)  # noqa: PLW2901
        resource.setrlimit(what, (limit, hard))
    os.nice(_POLITE)  # who answers requests comes first
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _finish(running: dict[int, _SmokeTest]) -> None:
    for child in list(running):
        done, status = os.waitpid(child, os.WNOHANG)
        if not done:
            continue
        test = running.pop(child)
        code = os.waitstatus_to_exitcode(status)
        if code:
            known = _LIMITS.get(signal.Signals(-code)) if code < 0 else None
            crash = f"crashes its process ({signal.Signals(-code).name if code < 0 else f'status {code}'})"
            _answer(test.connection, f"loading it {known.format(seconds=test.seconds) if known else crash}")
        test.connection.close()
        _learn(os.read(test.needed, 4096).decode(errors="replace").split())
        os.close(test.needed)


def _learn(modules: list[str]) -> None:
    """Import engines that a smoke test needed, and prepare them; a name that is none of ours means nothing."""
    known = {module.name for module in pkgutil.iter_modules(engines.__path__, _ENGINES)}
    for name in known.intersection(modules):
        module = importlib.import_module(name)
        if prepare := getattr(module, "prepare", None):
            prepare()


def _answer(connection: socket.socket, reason: str | None) -> None:
    try:
        connection.sendall(json.dumps({"refused": reason}).encode() + b"\n")
    except OSError:  # who asked is gone
        return


_LINUX = sys.platform == "linux"

if __name__ == "__main__":
    gc.freeze()  # the forks share what is there now
    with socket.socket(fileno=int(sys.argv[1])) as listening, open(int(sys.argv[2]), "rb") as running:  # noqa: PTH123
        serve(listening, running, sys.stdin.fileno())
