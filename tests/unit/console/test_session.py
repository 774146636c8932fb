"""Sessions: a cookie that is its owner's own key, and the pages' way to the gateway with it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from interlock_console.app import create_app
from interlock_console.pages import ADDRESSES
from interlock_console.settings import ConsoleSettings
from interlock_runtime.access import Access
from litestar import Litestar, Request, route
from litestar.params import FromPath

from tests.support.api_keys import KEY, SERVICE_KEYS, SETTINGS, letting_in
from tests.support.dependencies import dependency
from tests.support.gateway_app import NOWHERE, listening

OURS = {"Sec-Fetch-Site": "same-origin"}
OTHERS = {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}


def console(**more: Any) -> Litestar:
    given: dict[str, Any] = {
        **SETTINGS,
        "amqp_url": "amqp://nobody@127.0.0.1:1/",
        "postgres_url": "postgresql://nobody@127.0.0.1:1/none",
        "registry_url": NOWHERE,
        "gateway_url": NOWHERE,
        **more,
    }
    app = create_app(ConsoleSettings(**given))
    dependency(app, Access)._keys |= letting_in("only-read-key", ["read"])._keys
    return app


def browser(app: Litestar, base_url: str = "http://console") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url)  # type: ignore[arg-type]


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with browser(console()) as client:
        yield client


async def test_a_key_opens_a_session_that_may_what_the_key_may(http: httpx.AsyncClient) -> None:
    """No script can read the cookie, and no other site has it sent."""
    answer = await http.post("/session", json={"key": "only-read-key"}, headers=OURS)
    cookie = answer.headers["set-cookie"]

    assert answer.json() == {"name": "admin", "scopes": ["read"]}
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "Secure" not in cookie
    assert (await http.get("/session")).json()["scopes"] == ["read"]
    assert (await http.post("/session/tickets", headers=OTHERS)).status_code == 401


async def test_the_cookie_goes_over_tls_only_where_the_console_is_reached_by_it() -> None:
    """As its public address says."""
    async with browser(console(console_url="https://console.example")) as http:
        answer = await http.post("/session", json={"key": KEY}, headers=OURS)

    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("key", ["nobody-has-this-key", SERVICE_KEYS["gateway"]])
async def test_nobody_else_comes_in(http: httpx.AsyncClient, key: str) -> None:
    """Neither without a key, nor a service in its own name."""
    answer = await http.post("/session", json={"key": key}, headers=OURS)

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert key not in answer.text
    assert (await http.get("/session")).status_code == 401


@pytest.mark.parametrize("body", [{}, {"key": "x"}, {"key": "a b c d e f g"}, {"key": KEY, "more": 1}, ["key"]])
async def test_what_is_no_key_is_refused_by_its_field(http: httpx.AsyncClient, body: Any) -> None:
    """As a problem, like every other error."""
    answer = await http.post("/session", json=body, headers=OURS)

    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")


async def test_another_sites_page_opens_no_session_and_closes_none(http: httpx.AsyncClient) -> None:
    """Or people would work on in another user's name without noticing."""
    assert (await http.post("/session", json={"key": KEY}, headers=OTHERS)).status_code == 403
    await http.post("/session", json={"key": KEY}, headers=OURS)
    assert (await http.delete("/session", headers=OTHERS)).status_code == 403

    closed = await http.delete("/session", headers=OURS)
    assert closed.status_code == 204
    assert (await http.get("/session")).status_code == 401


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_the_gateway_is_asked_with_the_callers_own_key_and_never_with_the_cookie(method: str) -> None:
    """It decides what the caller may; a change is passed on only from our own page."""
    asked: list[tuple[str, str, dict[str, str], bytes]] = []

    @route("/models/{name:str}/rollback", http_method=["GET", "POST", "DELETE"], status_code=200)
    async def behind(name: FromPath[str], request: Request[Any, Any, Any]) -> dict[str, str]:
        asked.append((request.method, str(request.url.query), dict(request.headers), await request.body()))
        return {"name": name}

    async with (
        listening(Litestar([behind], openapi_config=None, logging_config=None)) as url,
        browser(console(gateway_url=url)) as http,
    ):
        await http.post("/session", json={"key": "only-read-key"}, headers=OURS)
        path = "/gateway/models/flights/rollback"
        answer = await http.request(method, f"{path}?to=3", content=b'{"a":1}', headers=OURS)
        foreign = await http.request(method, path, headers=OTHERS)
        unmarked = await http.request(method, path)
        unknown = await http.get("/gateway/nothing")

    [(by, query, headers, body)] = asked
    assert (by, query, body) == (method, "to=3", b'{"a":1}')
    assert headers["authorization"] == "Bearer only-read-key"
    assert "cookie" not in headers
    assert answer.json() == {"name": "flights"}
    assert "sandbox" in answer.headers["content-security-policy"]
    assert (foreign.status_code, unmarked.status_code) == (401, 401)
    assert unknown.status_code == 404


async def test_a_gateway_that_is_down_is_told_as_a_problem(http: httpx.AsyncClient) -> None:
    """With a time to come back."""
    answer = await http.get("/gateway/models", headers={"Authorization": f"Bearer {KEY}"})

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"


async def test_every_address_is_the_same_page_and_runs_nothing_but_our_own_files(http: httpx.AsyncClient) -> None:
    """It has no data in it, so it needs no key; its policy limits what it may load."""
    pages = {(await http.get(each.replace("{", "").replace(":str}", ""))).text for each in ADDRESSES}
    answer = await http.get("/")

    assert len(pages) == 1
    assert "<!doctype html>" in answer.text.lower()
    assert "default-src 'none'; script-src 'self';" in answer.headers["content-security-policy"]
    assert "http" not in answer.headers["content-security-policy"]


async def test_files_are_told_by_their_content_and_nothing_outside_their_folder_is_one(http: httpx.AsyncClient) -> None:
    """A browser asks again with what it knows, and gets nothing twice."""
    answer = await http.get("/static/app.js")
    again = await http.get("/static/app.js", headers={"If-None-Match": answer.headers["etag"]})

    assert answer.headers["content-type"].startswith("text/javascript")
    assert (again.status_code, again.content) == (304, b"")
    for name in ("%2e%2e/settings.py", "..%2fsettings.py", "%2fetc/passwd", "pages", "none.js"):
        assert (await http.get(f"/static/{name}")).status_code in (400, 404), name
