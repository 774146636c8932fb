"""Client of the host's smoke-test server, which it starts where none runs."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

START_SECONDS = 60.0
"""How long a validator may take to start; the machine may be busy starting everything at once."""

ATTEMPTS = 3
"""How often a smoke test is begun where the validator is stopped meanwhile, with the worker that had started it."""

_BACKLOG = 64
_LONGEST_ADDRESS = 100


class RefusedModelError(Exception):
    """A model failed the smoke test; the text has the reason."""


class Validator:
    """One for each worker; together they keep one process a host, reached by a socket in their common folder.

    A worker that finds no listener takes the lock, listens and starts the process, which has the lock from then on and
    releases it when it ends. So there is never a second one, and never none for long.
    """

    def __init__(self, folder: Path, *, seconds: float) -> None:
        self._folder = folder
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()
        self._closed = False

    def validate(self, description: Path, engine: Path) -> None:
        """Smoke-test the model of these two files in a child process; blocks.

        Raises:
            RefusedModelError: it crashes, takes too long or too much memory, or gives unsound answers.
            ConnectionError: no validator can be kept running, or this worker stops.
        """
        request = {"description": str(description), "engine": str(engine), "seconds": self._seconds}
        for _ in range(ATTEMPTS):
            if (answer := self._request(json.dumps(request))) is not None:
                if (reason := answer["refused"]) is not None:
                    raise RefusedModelError(reason)
                return
        raise ConnectionError("the validator is stopped again and again")

    def warm(self) -> bool:
        """Start the host's validator unless it runs, so that the first swap need not wait for it; blocks.

        Return whether it is this worker that has started it.
        """
        with suppress(ConnectionError):
            self._connected().close()
        return self._process is not None

    def close(self) -> None:
        """Stop the validator where this worker has started it; the next that needs one starts another."""
        with self._starting:
            self._closed = True
            if self._process is not None:
                assert self._process.stdin is not None
                self._process.stdin.close()
                self._process.wait()
                self._process = None

    def _request(self, request: str) -> dict[str, str | None] | None:
        """Return the answer, None where the validator has gone without one."""
        with self._connected() as connection:
            connection.settimeout(self._seconds + START_SECONDS)
            try:
                connection.sendall(request.encode() + b"\n")
                line = connection.makefile("r").readline()
            except TimeoutError:
                raise
            except OSError:
                return None
        return json.loads(line) if line else None

    def _connected(self) -> socket.socket:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            connection = socket.socket(socket.AF_UNIX)
            try:
                with _address(self._folder) as address:
                    connection.connect(address)
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
            else:
                return connection
            if not self._started():
                time.sleep(0.01)
        raise ConnectionError("no validator answers")

    def _started(self) -> bool:
        """Start the validator; False where another worker does so at this moment."""
        with self._starting, (self._folder / ".validator.lock").open("w") as lock:
            if self._closed:
                raise ConnectionError("this worker stops")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if self._process is not None:  # it has ended, or it would hold the lock
                assert self._process.stdin is not None
                self._process.stdin.close()
                self._process.wait()
            (self._folder / ".validator").unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX) as listener:
                with _address(self._folder) as address:
                    listener.bind(address)
                listener.listen(_BACKLOG)
                handed = listener.fileno(), lock.fileno()
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    [sys.executable, "-m", "interlock_serving.smoke_test.server", *map(str, handed)],
                    stdin=subprocess.PIPE,
                    pass_fds=handed,
                    start_new_session=True,
                )
            return True


@contextmanager
def _address(folder: Path) -> Iterator[str]:
    """Yield the socket's address; a path too long for one is reached through the folder's descriptor."""
    plain = str(folder / ".validator")
    if len(plain) < _LONGEST_ADDRESS:
        yield plain
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/.validator"
    finally:
        os.close(descriptor)
