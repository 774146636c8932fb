"""A gateway of a few lines: it answers what a test says, over real HTTP, and remembers what it was asked."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "a-key-of-sixteen-or-more"


@dataclass
class Asked:
    """One request as it came."""

    what: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Door:
    """Answers ``what`` (for instance ``GET /models``) in the order given; the last answer is given again and again."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, list[tuple[int, Any, dict[str, str]]]] = field(default_factory=lambda: defaultdict(list))

    def says(self, what: str, answer: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.answers[what].append((status, answer, headers or {}))

    def refuses(self, what: str, status: int, detail: str, **more: Any) -> None:
        self.says(what, {"title": "Refused", "status": status, "detail": detail, **more}, status=status)

    def answer(self, asked: Asked) -> tuple[int, Any, dict[str, str]]:
        self.asked.append(asked)
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return 401, {"title": "Not authorized", "status": 401, "detail": "send the header"}, {}
        queue = self.answers.get(asked.what)
        if not queue:
            return 404, {"title": "Not Found", "status": 404, "detail": f"nothing at {asked.what}"}, {}
        return queue.pop(0) if len(queue) > 1 else queue[0]


@contextmanager
def open_door() -> Iterator[Door]:
    door = Door()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one packet, or the client waits for the second one

        def _answer(self) -> None:
            path, _, query = self.path.partition("?")
            asked = Asked(
                f"{self.command} {path}", query, {k.lower(): v for k, v in self.headers.items()}, self._body()
            )
            status, answer, headers = door.answer(asked)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names are http.server's

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    door.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield door
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
