"""What is forwarded to another service and back, and what is not."""

from typing import Any

import httpx
import pytest
from interlock_contracts.deployment import OUTAGES
from interlock_runtime.reverse_proxy import HOP_BY_HOP_HEADERS, ReverseProxy
from litestar.plugins.problem_details import ProblemDetailsException


def scope(path: bytes, *headers: tuple[bytes, bytes], method: str = "GET", query: bytes = b"") -> Any:
    """Return the ASGI scope of a request."""
    return {
        "type": "http",
        "method": method,
        "path": path.decode(),
        "raw_path": path,
        "query_string": query,
        "headers": list(headers),
    }


async def forwarded(answer: Any, asked: Any, body: tuple[bytes, ...] = (), **options: Any) -> tuple[Any, list[Any]]:
    """Forward a request to a service that answers with ``answer``; return the request it got, and what was sent."""
    got: list[httpx.Request] = []
    sent: list[Any] = []
    parts = [{"type": "http.request", "body": each, "more_body": True} for each in body]
    parts.append({"type": "http.request", "body": b"", "more_body": False})

    async def service(request: httpx.Request) -> httpx.Response:
        await request.aread()
        got.append(request)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(200, headers=answer, stream=httpx.ByteStream(b"ok"))

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    async with httpx.AsyncClient(transport=httpx.MockTransport(service)) as client:
        proxy = ReverseProxy("ingest", "http://ingest:1/", client, httpx.Timeout(5), **options)
        await proxy.forward(asked, receive, send)
    return got[0], sent


async def test_a_request_is_forwarded_as_it_is() -> None:
    """Method, escaped path, query, body and the caller's own credentials."""
    asked = scope(
        b"/datasets/a%2Fb",
        (b"authorization", b"Bearer k"),
        (b"content-length", b"6"),
        (b"host", b"gateway"),
        method="POST",
        query=b"a=1&a=2",
    )
    got, sent = await forwarded({"X-Name": "n"}, asked, (b"abc", b"def"))

    assert (got.method, str(got.url), got.content) == ("POST", "http://ingest:1/datasets/a%2Fb?a=1&a=2", b"abcdef")
    assert got.headers["authorization"] == "Bearer k"
    assert (b"x-name", b"n") in sent[0]["headers"]
    assert b"".join(each["body"] for each in sent[1:]) == b"ok"


async def test_headers_of_one_connection_and_those_named_are_not_forwarded() -> None:
    """RFC 9110, 7.6.1; each way has headers of its own to drop, and some to add."""
    asked = scope(b"/gateway/models", (b"connection", b"x"), (b"te", b"trailers"), (b"cookie", b"c"), (b"accept", b"a"))
    got, sent = await forwarded(
        {"Keep-Alive": "1", "Server": "s", "Set-Cookie": "c", "X-Kept": "k"},
        asked,
        prefix=b"/gateway",
        drop_request=(b"cookie",),
        drop_response=(b"set-cookie",),
        add_response=((b"x-added", b"a"),),
    )

    assert str(got.url) == "http://ingest:1/models"
    assert got.headers["accept"] == "a"
    assert not {"te", "cookie"} & set(got.headers)
    names = {name for name, _ in sent[0]["headers"]}
    assert {b"x-kept", b"x-added"} <= names
    assert not {b"keep-alive", b"server", b"set-cookie"} & names


async def test_headers_named_by_connection_are_not_forwarded_either_way() -> None:
    """RFC 9110, 7.6.1: a list, in any case, maybe in several lines; the body is whole whatever is named."""
    asked = scope(
        b"/datasets",
        (b"connection", b"close, X-Internal"),
        (b"connection", b" x-other ,Content-Length,,"),
        (b"x-internal", b"1"),
        (b"x-other", b"2"),
        (b"x-kept", b"3"),
        (b"content-length", b"6"),
        method="POST",
    )
    answer = [("Connection", "Keep-Alive, x-hop"), ("X-Hop", "h"), ("X-Kept", "k")]
    got, sent = await forwarded(answer, asked, (b"abc", b"def"))

    assert not {"x-internal", "x-other", "content-length"} & set(got.headers)
    assert (got.headers["x-kept"], got.content) == ("3", b"abcdef")
    names = {name for name, _ in sent[0]["headers"]}
    assert b"x-kept" in names
    assert not {b"x-hop", b"connection", b"keep-alive"} & names


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP_HEADERS))
async def test_no_header_of_one_connection_is_forwarded(name: bytes) -> None:
    """Not even where ``Connection`` does not name it, as it should."""
    got, sent = await forwarded([(name, b"of one"), (b"x-kept", b"k")], scope(b"/datasets", (name, b"of one")))

    assert got.headers.get(name.decode()) != "of one"
    assert [each for each, _ in sent[0]["headers"]] == [b"x-kept"]


@pytest.mark.parametrize("path", [b"/datasets/../keys", b"/./keys", b"/datasets/.."])
async def test_dot_segments_lead_nowhere(path: bytes) -> None:
    """They could leave the route that checked the caller's rights."""
    with pytest.raises(ProblemDetailsException) as refused:
        await forwarded({}, scope(path))

    assert refused.value.status_code == 404


@pytest.mark.parametrize(
    ("error", "status"),
    [(httpx.PoolTimeout("t"), 503), (httpx.ReadTimeout("t"), 504), (httpx.ConnectError("t"), 503)],
    ids=["too many wait", "no answer", "down"],
)
async def test_a_service_that_is_away_is_a_problem_with_its_name(error: Exception, status: int) -> None:
    """And worth another try."""
    with pytest.raises(ProblemDetailsException) as absent:
        await forwarded(error, scope(b"/datasets"))

    assert absent.value.status_code == status
    assert absent.value.headers == {"Retry-After": "2"}
    assert "ingest does not answer" in str(absent.value.detail)
    assert OUTAGES["ingest"] in str(absent.value.detail)
