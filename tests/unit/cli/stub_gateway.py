"""A stub of the gateway over real HTTP: canned responses by route, and the requests it has received."""

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
class ReceivedRequest:
    """One request as it arrived."""

    route: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class StubGateway:
    """Responds to each route (for instance ``GET /models``) in the order given; the last response repeats."""

    url: str = ""
    requests: list[ReceivedRequest] = field(default_factory=list)
    responses: dict[str, list[tuple[int, Any, dict[str, str]]]] = field(default_factory=lambda: defaultdict(list))

    def respond(self, route: str, answer: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.responses[route].append((status, answer, headers or {}))

    def respond_error(self, route: str, status: int, detail: str, **more: Any) -> None:
        self.respond(route, {"title": "Refused", "status": status, "detail": detail, **more}, status=status)

    def response_to(self, request: ReceivedRequest) -> tuple[int, Any, dict[str, str]]:
        self.requests.append(request)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return 401, {"title": "Not authorized", "status": 401, "detail": "send the header"}, {}
        queue = self.responses.get(request.route)
        if not queue:
            return 404, {"title": "Not Found", "status": 404, "detail": f"nothing at {request.route}"}, {}
        return queue.pop(0) if len(queue) > 1 else queue[0]


@contextmanager
def running_stub() -> Iterator[StubGateway]:
    stub = StubGateway()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one packet, or the client waits for the second one

        def _answer(self) -> None:
            path, _, query = self.path.partition("?")
            request = ReceivedRequest(
                f"{self.command} {path}", query, {k.lower(): v for k, v in self.headers.items()}, self._body()
            )
            status, answer, headers = stub.response_to(request)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names are http.server's

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
