"""A stub of the gateway over real HTTP: canned responses by route, and the requests it has received."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.json_server import Answer, json_server

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

    def answer(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        path, _, query = target.partition("?")
        return stub.response_to(ReceivedRequest(f"{method} {path}", query, dict(headers), body))

    with json_server(answer) as stub.url:
        yield stub
