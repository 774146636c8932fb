"""uvicorn's HTTP/1.1 protocol with bounds: what a client may send before its request counts, and how slowly.

uvicorn has none of its own here: headers without end fill the memory, and a client that sends a byte now and then
keeps its connection for ever, both before any key is checked.
"""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_BYTES = 32 * 1024
"""Address and headers of one request, also trailers, and anything else between two parts of a body."""

HEADERS = 100
"""Headers of one request; both are looked at once a read, so one read (256 KiB) may bring more and be refused."""

CHECK_SECONDS = 2.0
"""Time between two checks of a connection; a limit may be passed by so much."""

HEAD_SECONDS = 10.0
"""A request's headers come within so many seconds of the connection, or of the end of the request before."""

BODY_SECONDS = 30.0
"""A body may come slower than ``BODY_RATE`` for so many seconds altogether, while we wait for it."""

BODY_RATE = 256
"""Bytes a second."""

STALL_SECONDS = 60.0
"""A client may leave an answer unread for so many seconds."""


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection; a request beyond a limit is refused if the client still reads, and the connection is closed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.headers: list[tuple[bytes, bytes]] = []
        self._check_timer: asyncio.TimerHandle | None = None
        self._unparsed = 0
        self._body_came = 0
        self._waited = 0.0
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the checks of this connection."""
        super().connection_made(transport)
        self._check_timer = self.loop.call_later(CHECK_SECONDS, self._check_progress)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._check_timer is not None:
            self._check_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take data; a whole head resets the count, so what is left is a part of one, or no request's."""
        self._unparsed += len(data)
        super().data_received(data)
        if (self._unparsed > HEAD_BYTES or len(self.headers) > HEADERS) and not self.transport.is_closing():
            self._refuse_head()

    def on_headers_complete(self) -> None:
        if len(self.headers) > HEADERS:
            raise ValueError(f"more than {HEADERS} headers")  # which stops the parser
        self._unparsed, self._body_came, self._waited = 0, 0, 0.0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        self._body_came += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Let the request be answered."""
        self._unparsed, self._waited = 0, 0.0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser would not take."""
        if len(self.headers) > HEADERS:
            self._refuse_head()
        else:
            super().send_400_response(msg)

    def awaits_body(self) -> bool:
        """Return whether the client is to send more of a body, and is let."""
        return self.cycle is not None and self.cycle.more_body and not self.flow.read_paused

    def _refuse_head(self) -> None:
        detail = f"at most {HEADERS} headers are read, and {HEAD_BYTES} bytes of them and the address"
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer with a problem, unless the answer to something else is under way, and close."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or (cycle.more_body and not cycle.response_started):
            body = json.dumps({"status": status.value, "title": status.phrase, "detail": detail}).encode()
            head = b"content-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[status.value] + head % len(body) + body)
        self.transport.close()

    def _check_progress(self) -> None:
        """Close a connection that has kept us waiting for too long."""
        self._check_timer = self.loop.call_later(CHECK_SECONDS, self._check_progress)
        if self.transport.is_closing():
            return
        if self.awaits_body():
            slow = self._body_came < BODY_RATE * CHECK_SECONDS
            self._body_came = 0
            self._waited = self._waited + CHECK_SECONDS if slow else max(0.0, self._waited - CHECK_SECONDS)
            if self._waited > BODY_SECONDS:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"the body comes slower than {BODY_RATE} bytes a second")
        elif self.flow.write_paused:
            unread, self._unread = self._unread, self.transport.get_write_buffer_size()
            self._waited = self._waited + CHECK_SECONDS if unread == self._unread else 0.0
            if self._waited > STALL_SECONDS:
                self.transport.abort()
        elif (self.cycle is None or self.cycle.response_complete) and self.timeout_keep_alive_task is None:
            self._waited += CHECK_SECONDS
            if self._waited > HEAD_SECONDS:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"no whole request came within {HEAD_SECONDS:g} seconds")
