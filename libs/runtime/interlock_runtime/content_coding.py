"""Content codings (RFC 9110, 8.4.1): compressed bodies are unpacked as they are read, for every route of every service.

Nothing is unpacked before a handler asks for its body, so whoever may not call a route costs nothing; and each message
holds a piece of bounded size, so that the handler's own limit ends a body that would become huge.
"""

import zlib
from collections.abc import Iterator
from typing import Any

from litestar.enums import ScopeType
from litestar.plugins.problem_details import ProblemDetailsException
from litestar.types import ASGIApp, Receive, Scope, Send

AS_SENT = "as sent"
"""Route option: the request is forwarded as it came; another service unpacks its body and judges its query."""

PIECE_BYTES = 256 * 1024
"""Longest piece that one message is unpacked to."""

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_OFFERED = (b"gzip", b"x-gzip", b"deflate")


def unpacking(app: ASGIApp) -> ASGIApp:
    """ASGI middleware: ``app`` gets bodies without ``Content-Encoding``.

    Reading a body raises a problem: 415 for another coding than gzip and deflate, 400 for one that is not what it says.
    """

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and AS_SENT not in scope["route_handler"].opt:
            coding = b",".join(value for name, value in scope["headers"] if name == b"content-encoding").strip().lower()
            if coding not in (b"", b"identity"):
                # The length is that of the packed body, and what it becomes is not known yet.
                left = [each for each in scope["headers"] if each[0] not in (b"content-encoding", b"content-length")]
                scope["headers"] = [*left, (b"transfer-encoding", b"chunked")]
                receive = _Unpacked(receive, coding).receive
        await app(scope, receive, send)

    return middleware


class _Unpacked:
    def __init__(self, receive: Receive, coding: bytes) -> None:
        self._receive = receive
        self._coding = coding
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._pieces: Iterator[bytes] = iter(())
        self._more = True

    async def receive(self) -> Any:
        """Return the next piece, or whatever other message there is."""
        if self._coding not in _OFFERED:
            name = self._coding[:20].decode("latin-1")
            raise ProblemDetailsException(
                status_code=415,
                title="Unknown content coding",
                detail=f"Content-Encoding {name!r} is not offered; send gzip, deflate, or none",
                headers={"Accept-Encoding": "gzip, deflate"},
            )
        while (piece := next(self._pieces, None)) is None and self._more:
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._more = message.get("more_body", False)
            self._pieces = self._unpack(message.get("body", b""))
        if piece is None:
            if not self._stream.eof:
                raise _broken("it is cut off")
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.request", "body": piece, "more_body": True}

    def _unpack(self, packed: bytes) -> Iterator[bytes]:
        piece = b""
        while packed or len(piece) == PIECE_BYTES:  # a full piece may have left some in zlib
            if self._stream.eof and packed:
                raise _broken("more follows its end")
            try:
                piece = self._stream.decompress(packed, PIECE_BYTES)
            except zlib.error as error:
                raise _broken(str(error)) from error
            packed = self._stream.unconsumed_tail or self._stream.unused_data
            yield piece


def _broken(why: str) -> Exception:
    return ProblemDetailsException(
        status_code=400,
        title="The body cannot be unpacked",
        detail=f"the body is not what Content-Encoding says: {why}",
    )
