"""The server of checking processes: ``python -m interlock_ingest.validation``, its standard input a Unix socket.

It imports everything once and is forked for each request: arguments, and two sockets. One becomes the new process's
standard input and error, on the other its exit status is told. A check runs apart from the service so that a long one
does not hold up its event loop, a crash of a parser does not end it, and all memory goes back when the file is done.
Server and checks end when the service does.
"""

import gc
import json
import os
import resource
import selectors
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import cast

import pyarrow as pa
from interlock_contracts.datasets import Finding
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import DatasetRole
from interlock_modeling.split import HashForm

from interlock_ingest.validation.result import ValidationResult
from interlock_ingest.validation.validate import validate

ADDRESS_SPACE_BYTES = 4 << 30
"""A file that unpacks to more than this is refused; a sound one stays below a tenth of it."""


def main(file: Path, spec: Path, folder: Path, role: DatasetRole, form: HashForm) -> None:
    """Check the file and leave the result; it appears whole or not at all."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    pa.set_cpu_count(1)
    pipeline = Pipeline.model_validate_json(spec.read_bytes())
    try:
        result = validate(file, pipeline, folder, role, form)
    except MemoryError:
        why = f"checking the file takes more than {ADDRESS_SPACE_BYTES >> 30} GiB of memory; cut it into batches"
        result = ValidationResult(reasons=[Finding(rule="memory", message=why)])
    unfinished = folder / "result.json.part"
    unfinished.write_text(result.model_dump_json())
    unfinished.rename(folder / "result.json")


def serve(control: socket.socket) -> None:
    """Fork for each request until the other end closes."""
    checks: dict[int, socket.socket] = {}
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is control:
                    if (request := _receive(control)) is None:
                        return
                    words, of_process, of_service = request
                    if (pid := os.fork()) == 0:
                        selector.close()
                        for inherited in (woken, wake, of_service, *checks.values()):
                            inherited.close()
                        control.detach()
                        _check(words, of_process)
                    of_process.close()
                    checks[pid] = of_service
                    selector.register(of_service, selectors.EVENT_READ, pid)
                elif key.fileobj is woken:
                    woken.recv(4096)
                    _tell_ends(checks, selector)
                elif key.data in checks:  # the service has closed its end: nobody waits for the result
                    selector.unregister(key.fileobj)
                    os.kill(key.data, signal.SIGKILL)


def _receive(control: socket.socket) -> tuple[list[str], socket.socket, socket.socket] | None:
    """Return the next request; None when there will be none."""
    size, descriptors, _, _ = socket.recv_fds(control, 4, 2)
    if not size:
        return None
    words = json.loads(control.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
    of_process, of_service = (socket.socket(fileno=descriptor) for descriptor in descriptors)
    return words, of_process, of_service


def _tell_ends(checks: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    """Tell the exit status of every check that has ended."""
    while checks:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with checks.pop(pid) as of_service, suppress(ConnectionError):
            with suppress(KeyError):  # it was killed
                selector.unregister(of_service)
            of_service.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def _check(words: list[str], of_process: socket.socket) -> None:
    """Be the checking process, and end."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for standard in (0, 2):
            os.dup2(of_process.fileno(), standard)
        of_process.close()
        threading.Thread(target=_end_with_the_service, daemon=True).start()
        os.nice(5)
        file, spec, folder = map(Path, words[:3])
        main(file, spec, folder, cast("DatasetRole", words[3]), cast("HashForm", int(words[4])))
        status = 0
    except BaseException:  # noqa: BLE001 - the process ends here, and not in the server's loop
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _end_with_the_service() -> None:
    os.read(0, 1)  # nobody writes: it returns when the other end is gone
    os._exit(1)


if __name__ == "__main__":
    pa.array([None, 0]).fill_null(0)  # loads the rest of Arrow, and Pandas where that is installed
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; the service says when to end
    gc.freeze()  # what is imported is never garbage: a look at it would copy its pages
    serve(socket.socket(fileno=0))
