"""Starts the checking processes' server, and one process by it for each check."""

from __future__ import annotations

import asyncio
import atexit
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from interlock_runtime.settings import environment_without_settings

ONE_THREAD = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # gives back what it frees; the others hold a quarter more
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""A process that is forked must have no other thread: one might hold a lock that then nobody gives back."""


@dataclass(frozen=True)
class CheckProcess:
    """A process that was started: what it says, and what the server says of its end."""

    errors: asyncio.StreamReader
    ended: asyncio.StreamReader

    async def wait(self, shown: int) -> tuple[int | None, str]:
        """Return its exit status, negative for a signal, with the last ``shown`` bytes of its standard error.

        The status is None when the server ended before it.
        """
        reading = asyncio.create_task(self._last_errors(shown))  # at once: it may say more than a socket holds
        try:
            told = await self.ended.read()
            return (int(told), await reading) if told else (None, "")
        finally:
            reading.cancel()

    async def _last_errors(self, shown: int) -> str:
        last = b""
        while part := await self.errors.read(1 << 16):
            last = (last + part)[-shown:]
        return last.decode(errors="replace")


class CheckServer:
    """A process with everything imported, which is forked for each check; started when the first one comes.

    It ends with this process, and is started anew when it has ended otherwise.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """The server's process; None before the first check."""
        return self._process.pid if self._process else None

    @asynccontextmanager
    async def started(self, words: Sequence[str]) -> AsyncIterator[CheckProcess]:
        """Start a checking process with these arguments; at the end of the block it is killed and gone."""
        process, of_process = socket.socketpair()  # its standard input and error: it ends when ours is closed
        server, of_server = socket.socketpair()  # tells the exit status; the server kills when we shut it down
        with of_process, of_server:
            self._send(words, [of_process.fileno(), of_server.fileno()])
        errors, life = await asyncio.open_connection(sock=process)
        ended, kill = await asyncio.open_connection(sock=server)
        try:
            yield CheckProcess(errors, ended)
        finally:
            with suppress(OSError):
                kill.write_eof()
            life.close()
            await ended.read()
            kill.close()

    def _send(self, words: Sequence[str], descriptors: list[int]) -> None:
        message = json.dumps(words).encode()
        message = len(message).to_bytes(4, "big") + message
        if self._control is not None:
            with suppress(ConnectionError):  # it has ended meanwhile
                socket.send_fds(self._control, [message], descriptors)
                return
        socket.send_fds(self._start(), [message], descriptors)

    def _start(self) -> socket.socket:
        self._stop()
        ours, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "interlock_ingest.validation"],
                stdin=its.fileno(),
                env=environment_without_settings() | ONE_THREAD,
            )
        self._control = ours
        atexit.register(self._stop)
        return ours

    def _stop(self) -> None:
        atexit.unregister(self._stop)
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.kill()
            self._process.wait()
