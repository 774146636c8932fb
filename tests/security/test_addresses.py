"""Addresses and bodies that broke services before: answered in words, never with an error of ours."""

from collections.abc import Iterator
from typing import Any

import pytest
from interlock_contracts.http import ApproveRequest, RetrainRequest, RollbackRequest
from interlock_contracts.pipeline import Pipeline
from interlock_registry.routes import _parsed
from interlock_runtime.http import SCOPE, http_app
from interlock_runtime.limits import ConcurrencyLimitMiddleware
from litestar import Litestar, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.plugins.problem_details import ProblemDetailsException
from litestar.testing import TestClient
from pydantic import BaseModel, ValidationError

from tests.support.api_keys import KEY, letting_in

SECRET = "postgresql://somebody:a-canary-password@db/"


@get("/things/{name:str}/{number:int}", opt={SCOPE: "read"})
async def read(name: FromPath[str], number: FromPath[int], model: FromQuery[str | None] = None) -> str:
    return f"{name} {number} {model}"


@post("/things", opt={SCOPE: "read"})
async def make(data: JSONBody[dict[str, Any]]) -> None:
    raise RuntimeError(f"could not write {len(data)} to {SECRET}")


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient[Litestar]]:
    app = http_app("test", letting_in(), routes=[read, make], pings={}, lifespan=[])
    # The client would raise what the server only answers.
    with TestClient(app, raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {KEY}"
        yield client


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/things/flights/1", 200),
        ("/things/a name/1?model=%C3%A9", 200),
        ("/things/%00/1", 400),
        ("/things/a%0Ab/1", 400),
        ("/things/%5C..%5Cetc/1", 400),
        ("/things/%252e%252e/1", 400),
        ("/things/%252fetc%252fpasswd/1", 404),
        ("/things/%2e%2e/1", 400),
        ("/things/flights/1?model=%00", 400),
        ("/things/flights/1?model=a%0", 200),
        ("/things/flights/99999999999", 404),
        ("/things/flights/-99999999999", 404),
        ("/things/flights/" + "9" * 5000, 404),
        ("/things/..%2f..%2fetc/1", 404),
    ],
)
def test_an_address_is_a_name_and_nothing_else(client: TestClient[Litestar], address: str, status: int) -> None:
    """NUL and numbers too large failed in the database; dots, backslashes and double encoding are somebody trying."""
    answer = client.get(address)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"


def test_an_error_of_ours_says_nothing_of_itself(client: TestClient[Litestar]) -> None:
    """The exception's text may hold anything, a connection string with its password, too."""
    answer = client.post("/things", json={"a": 1})

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "canary" not in answer.text
    assert "RuntimeError" not in answer.text


def test_a_body_nested_without_end_is_a_bad_request(client: TestClient[Litestar]) -> None:
    """Its depth exhausts the stack of the decoder, which is no fault of the service."""
    answer = client.post("/things", content='{"a":' * 50_000, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 50_000,
        b'{"a":' * 50_000,
        b"x: 2020-99-99",
        b"a: " + b"9" * 5000,
        b"a: 1:2:99999999999999999999\nb: 0b\nc: 0x_",
        b"? [a]\n: b",
        b"a: \x01",
        b"\xff\xfe",
        b'!!python/object/apply:os.system ["id"]',
        b"a: &a [*a]",
    ],
    ids=lambda body: body[:20].decode(errors="replace"),
)
def test_a_pipeline_file_of_any_shape_is_answered_in_words(body: bytes) -> None:
    """YAML has dates, numbers to base 60, and tags that would run code; nothing of it is an error of ours."""
    with pytest.raises(ProblemDetailsException) as refused:
        _parsed("flights", body)
    assert refused.value.status_code in (400, 422)


def test_aliases_that_multiply_are_no_bomb() -> None:
    """Nine lines that stand for a thousand million words are refused by their first level."""
    lines, last = ["a: &a [x,x,x,x,x,x,x,x,x,x]"], "a"
    for name in "bcdefghi":
        lines.append(f"{name}: &{name} [{','.join([f'*{last}'] * 10)}]")
        last = name
    with pytest.raises(ProblemDetailsException) as refused:
        _parsed("flights", "\n".join([*lines, "name: *i", "data: *i", "target: *i"]).encode())
    assert refused.value.status_code == 422
    assert len(refused.value.detail) < 10_000


@pytest.mark.parametrize(
    ("what", "fields"),
    [(RetrainRequest, {"reason": "\0"}), (RollbackRequest, {"reason": "a\0"}), (ApproveRequest, {"by": "\0"})],
)
def test_a_text_with_nul_is_refused_where_it_comes_in(what: type[BaseModel], fields: dict[str, str]) -> None:
    """Postgres keeps no NUL; it would fail after the request was accepted, in another service."""
    with pytest.raises(ValidationError, match="NUL"):
        what.model_validate(fields)


@pytest.mark.parametrize(
    "columns",
    [{"a\0": {"type": "number"}}, {"a": {"type": "number", "max": float("inf")}}],
)
def test_a_pipeline_that_cannot_be_kept_is_refused(columns: dict[str, Any]) -> None:
    """A NUL in a column's name, or a bound that JSON has no word for."""
    spec = {"name": "flights", "task": "regression", "target": "y"}
    data = {"columns": {**columns, "x": {"type": "number"}, "y": {"type": "number"}}}
    with pytest.raises(ValidationError):
        Pipeline.model_validate({**spec, "data": data})


async def test_a_busy_service_says_when_to_come_again_and_is_healthy() -> None:
    """Requests wait nowhere without a bound; probes are answered all the same."""
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def ask(path: str) -> int:
        said.clear()
        await roomy({"type": "http", "path": path}, None, send)  # type: ignore[arg-type]
        return int(said[0]["status"])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del receive
        if scope["path"] == "/slow":
            assert await ask("/fast") == 503
            assert (b"retry-after", b"1") in said[0]["headers"]
            assert await ask("/health/live") == 200
            said.clear()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    roomy = ConcurrencyLimitMiddleware(app, limit=1)
    assert await ask("/slow") == 200
    assert await ask("/fast") == 200, "who has been answered makes room"
