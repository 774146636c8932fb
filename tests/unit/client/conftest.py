"""Both clients at a service that answers as told, without a socket and without waiting."""

import asyncio
import inspect
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from interlock_client import AsyncClient, Client

URL, CONSOLE = "http://gateway", "http://console"


class Service:
    """Answers each route, for instance ``GET /models``, in the order given; the last answer repeats."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.bodies: list[bytes] = []
        self._answers: dict[str, list[httpx.Response | Exception]] = defaultdict(list)

    def respond(self, route: str, answer: Any, *, status: int = 200, **headers: str) -> None:
        content = {"content": answer} if isinstance(answer, bytes) else {"json": answer}
        self._answers[route].append(httpx.Response(status, headers=headers, **content))

    def refuse(self, route: str, status: int, detail: str = "no", *, after: str | None = None, **more: Any) -> None:
        headers = {"retry-after": after} if after else {}
        self.respond(route, {"title": "Refused", "status": status, "detail": detail, **more}, status=status, **headers)

    def break_off(self, route: str, error: httpx.TransportError) -> None:
        self._answers[route].append(error)

    @property
    def routes(self) -> list[str]:
        return [f"{each.method} {each.url.path}" for each in self.requests]

    def json(self, number: int = -1) -> Any:
        return json.loads(self.bodies[number])

    def answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        self.requests.append(request)
        self.bodies.append(body)
        route = f"{request.method} {request.url.path}"
        queue = self._answers[route]
        if not queue:
            return httpx.Response(404, json={"title": "Not Found", "status": 404, "detail": f"nothing at {route}"})
        found = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(found, Exception):
            raise found
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(lambda request: self.answer(request, request.read()))

    def async_transport(self) -> httpx.MockTransport:
        async def handle(request: httpx.Request) -> httpx.Response:
            return self.answer(request, await request.aread())

        return httpx.MockTransport(handle)


class Pauses(list[float]):
    """How long a client has paused, each time; nobody waits for it, and no other time goes by."""

    def pause(self, seconds: float) -> None:
        self.append(seconds)

    async def pause_async(self, seconds: float) -> None:
        self.append(seconds)

    def passed(self) -> float:
        return sum(self)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    """Return the pauses of this test's clients."""
    made = Pauses()
    clock = SimpleNamespace(sleep=made.pause, monotonic=made.passed)
    for module in ("client", "operations.runs", "operations.models", "operations.datasets"):
        monkeypatch.setattr(f"interlock_client.{module}.time", clock)
    monkeypatch.setattr("interlock_client.async_client.asyncio", SimpleNamespace(sleep=made.pause_async))
    return made


@pytest.fixture
def service() -> Service:
    return Service()


Call = Callable[..., Any]


@pytest.fixture(params=["Client", "AsyncClient"])
def call(request: pytest.FixtureRequest, service: Service) -> Iterator[Call]:
    """Return how to call an operation by its name, with either client; the asynchronous one has a loop of its own."""
    if request.param == "Client":
        with Client(URL, "a-key", console_url=CONSOLE, transport=service.transport()) as client:
            yield lambda name, *args, **options: getattr(client, name)(*args, **options)
        return
    with asyncio.Runner() as runner:
        waiting = AsyncClient(URL, "a-key", console_url=CONSOLE, transport=service.async_transport())

        def awaited(name: str, *args: Any, **options: Any) -> Any:
            async def done() -> Any:
                made = getattr(waiting, name)(*args, **options)
                return await made if inspect.isawaitable(made) else made

            return runner.run(done())

        yield awaited
        runner.run(waiting.close())
