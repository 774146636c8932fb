"""Clients that ask on and on over kept connections, in a process of their own: what they see is nobody's own delay.

``python -m tests.integration.asking HOST PORT KEY MODEL CONNECTIONS ROW``; it asks until its standard input is closed,
then prints every answer as one JSON document: for each connection ``[sent, answered, status, version, prediction]``,
times in seconds of the system's monotonic clock.
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


async def _ask(host: str, port: str, request: bytes, seen: list[Any], done: asyncio.Event) -> None:
    reader, writer = await asyncio.open_connection(host, int(port))
    while not done.is_set():
        sent = time.monotonic()
        writer.write(request)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1]) if length else 0)
        except (ConnectionError, asyncio.IncompleteReadError):
            seen.append((sent, time.monotonic(), 0, None, None))
            reader, writer = await asyncio.open_connection(host, int(port))
            continue
        version, prediction = _VERSION.search(body), _PREDICTION.search(body)
        status = int(head.split(b" ", 2)[1])
        told = (int(version[1]), float(prediction[1])) if version and prediction else (None, None)
        seen.append((sent, time.monotonic(), status, *told))
    writer.close()


async def _main(host: str, port: str, key: str, model: str, connections: str, row: str) -> None:
    body = b'{"rows":[' + row.encode() + b"]}"
    request = (
        f"POST /models/{model}/predict HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    done = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, done.set)
    seen: list[list[Any]] = [[] for _ in range(int(connections))]
    await asyncio.gather(*(_ask(host, port, request, each, done) for each in seen))
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
