"""uvicorn's HTTP/1.1 protocol with a fast path for predictions: from the parser to the batcher, and back in one write.

A small prediction on a connection with nothing else in flight needs no ASGI scope, task or messages, which cost more
than the prediction itself. Whatever is different in any respect takes uvicorn's ordinary path through the ASGI
application: a larger body, an unusual row, a client that reads slowly, a connection about to be closed.
"""

import asyncio
from functools import partial
from typing import Any

from interlock_runtime.connections import HEADERS, LimitedHttpProtocol
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from interlock_gateway.domain import PREDICT_PREFIX, PREDICT_SUFFIX
from interlock_gateway.fastpath.app import FastPathApp
from interlock_gateway.models.batcher import INLINE_BYTES
from interlock_gateway.proxy.rate_limit import COUNTED

_PREFIX, _SUFFIX = PREDICT_PREFIX.encode(), PREDICT_SUFFIX.encode()
_JSON = b"content-type: application/json\r\ncontent-length: "


class _FastCycle:
    """Request-response cycle of a request on the fast path, with the attributes that uvicorn reads of its own."""

    __slots__ = ("disconnected", "keep_alive", "message_event", "response_complete")

    more_body = False
    response_started = True

    def __init__(self, *, keep_alive: bool, message_event: asyncio.Event) -> None:
        self.keep_alive = keep_alive
        self.message_event = message_event
        self.disconnected = False
        self.response_complete = False


class FastPathProtocol(LimitedHttpProtocol):
    """One connection; ``fast_path`` is the one within the server's application."""

    def __init__(self, fast_path: FastPathApp, **options: Any) -> None:
        super().__init__(**options)
        self._fast_path = fast_path
        self._parts: list[bytes] | None = None
        self._size = 0
        self._no_body_event = asyncio.Event()

    def on_headers_complete(self) -> None:
        """Hold a prediction back until its body is complete; start everything else."""
        if (
            self.url.endswith(_SUFFIX)
            and self.url.startswith(_PREFIX)
            and b"%" not in self.url
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and (self.cycle is None or self.cycle.response_complete)
            and not self.parser.should_upgrade()
            and not self.expect_100_continue
            and not self.flow.write_paused
            and not self.root_path
            and len(self.headers) <= HEADERS
        ):
            self._parts, self._size, self._unparsed = [], 0, 0
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Collect a small body."""
        if self._parts is not None:
            self._unparsed = 0
            self._parts.append(body)
            self._size += len(body)
            if self._size > INLINE_BYTES:
                self._fall_back()
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Start on the fast path, or fall back to uvicorn."""
        if self._parts is None:
            super().on_message_complete()
            return
        self._unparsed, self._waited = 0, 0.0
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        name = self.url[len(_PREFIX) : -len(_SUFFIX)].decode("ascii", "replace")
        cycle = _FastCycle(keep_alive=self.parser.should_keep_alive(), message_event=self._no_body_event)
        reply, state = partial(self._reply, cycle, self.scope, self.url, body), self.scope["state"]
        if self._fast_path.try_start(name, self.headers, body, state, reply):
            self._parts = None
            self.cycle = cycle  # type: ignore[assignment]
        else:
            self._fall_back()
            super().on_message_complete()

    def awaits_body(self) -> bool:
        """Return whether the client is to send more of a body, also of one that is held back."""
        return self._parts is not None or super().awaits_body()

    def shutdown(self) -> None:
        """Stop after the request in flight, also one received in part."""
        if self._parts is not None:
            self._fall_back()
        super().shutdown()

    def _fall_back(self) -> None:
        """Replay headers and body to uvicorn, which takes its ordinary path."""
        parts, self._parts = self._parts or [], None
        super().on_headers_complete()
        for part in parts:
            super().on_body(part)

    def _reply(self, cycle: _FastCycle, scope: Any, url: bytes, body: bytes, answer: bytes | None) -> None:
        """Write the answer, or fall back where there is none."""
        if answer is None and not cycle.disconnected:
            self._restart(cycle, scope, url, body)
            return
        cycle.response_complete = True
        if cycle.disconnected or answer is None or self.transport.is_closing():
            return
        content = [STATUS_LINE[200]]
        for name, value in self.server_state.default_headers:
            content += (name, b": ", value, b"\r\n")
        content += (_JSON, b"%d" % len(answer), b"\r\n\r\n" if cycle.keep_alive else b"\r\nconnection: close\r\n\r\n")
        content.append(answer)
        self.transport.write(b"".join(content))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _restart(self, fast: _FastCycle, scope: Any, url: bytes, body: bytes) -> None:
        """Send a request without an answer to the application; others may be pipelined behind it on the connection."""
        scope |= {"method": "POST", "path": url.decode("ascii"), "raw_path": url, "query_string": b""}
        scope["state"][COUNTED] = True
        cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=fast.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.body += body
        cycle.more_body = False
        cycle.message_event.set()
        if self.cycle is fast:  # type: ignore[comparison-overlap]
            self.cycle = cycle
        self._start_asgi_task(cycle, self.app)
