"""Clients that ask on and on, in a process of their own: what they see is nobody's own delay.

``python -m tests.support.load_clients HOST PORT KEY MODEL CONNECTIONS ROW [STRANGERS [PAUSE]]``; each of CONNECTIONS is
kept, each of STRANGERS makes a new one for every request, and all rest PAUSE seconds between two. Each version that
answers for the first time is printed at once, on its own line. They ask until standard input is closed; then, after
a line ``end``, every answer is printed as one JSON document: for each connection
``[sent, answered, status, version, prediction]``, times in seconds of the system's monotonic clock. Whoever is not
answered within ``PATIENCE`` seconds hangs up, and counts as not answered.
"""

import asyncio
import json
import re
import sys
import time
from typing import Any

_VERSION = re.compile(rb'"version":(\d+)')
_PREDICTION = re.compile(rb'"predictions":\[([-0-9.e+]+)')
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


PATIENCE = 5.0


class Client:
    """One client; ``seen`` holds its answers, connection by connection."""

    def __init__(self, host: str, port: str, request: bytes, met: set[int | None], *, stranger: bool) -> None:
        self._address = host, int(port)
        self._request = request
        self._met = met
        self._stranger = stranger
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.seen: list[list[Any]] = [[]]

    async def ask(self, done: asyncio.Event, pause: float) -> None:
        while not done.is_set():
            sent = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE):
                    told = await self._answer()
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                told = (0, None, None)
                self._hang_up()
            self.seen[-1].append((sent, time.monotonic(), *told))
            if told[1] not in self._met:
                self._met.add(told[1])
                print(told[1], flush=True)
            if self._stranger:
                self._hang_up()
                self.seen.append([])
            if pause or not told[0]:
                await asyncio.sleep(pause or 0.01)
        self._hang_up()

    async def _answer(self) -> tuple[int, int | None, float | None]:
        if self._line is None:
            self._line = await asyncio.open_connection(*self._address)
        reader, writer = self._line
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        version, prediction = _VERSION.search(body), _PREDICTION.search(body)
        status = int(head.split(b" ", 2)[1])
        return (status, int(version[1]), float(prediction[1])) if version and prediction else (status, None, None)

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line[1].close()
        self._line = None


async def _main(
    host: str, port: str, key: str, model: str, connections: str, row: str, strangers: str = "0", pause: str = "0"
) -> None:
    body = b'{"rows":[' + row.encode() + b"]}"
    request = (
        f"POST /models/{model}/predict HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    done = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, done.set)
    met: set[int | None] = {None}
    clients = [
        Client(host, port, request, met, stranger=number >= int(connections))
        for number in range(int(connections) + int(strangers))
    ]
    await asyncio.gather(*(each.ask(done, float(pause)) for each in clients))
    print("end", flush=True)
    json.dump([seen for client in clients for seen in client.seen if seen], sys.stdout)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
