"""Addresses that lead nowhere: a page for browsers, problem details for programs."""

import httpx
import pytest
from interlock_console import pages
from interlock_runtime.http import PUBLIC, http_app
from litestar import get, post

from tests.support.api_keys import letting_in

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}
PROGRAMS = [{}, {"Accept": "*/*"}, {"Accept": "application/json"}, {"Accept": "application/json, text/html;q=0.5"}]
ADDRESSES = [("/nonsense", 404), ("/models/m/unknown", 404), ("/static/none.js", 404), ("/only-post", 405),
             ("/broken", 500)]  # fmt: skip


@pytest.fixture
def http() -> httpx.AsyncClient:
    @post("/only-post", opt={PUBLIC: True})
    async def only_post() -> None: ...

    @get("/broken", opt={PUBLIC: True})
    async def broken() -> None:
        raise ValueError("secret")

    @get("/away", opt={PUBLIC: True})
    async def away() -> None:
        raise ConnectionError("the registry does not answer")

    routes = [*pages.ROUTES, only_post, broken, away]
    app = http_app("console", letting_in(), routes=routes, pings={}, lifespan=[], respond=pages.answer_problem)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://console")  # type: ignore[arg-type]


@pytest.mark.parametrize(("path", "status"), ADDRESSES)
async def test_a_browser_gets_the_page_with_the_status(http: httpx.AsyncClient, path: str, status: int) -> None:
    """It has its policy, is kept by nobody, and tells nothing of what went wrong inside."""
    answer = await http.get(path, headers=BROWSER)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert f'data-status="{status}"' in answer.text
    assert '<div id="app">' in answer.text
    assert "secret" not in answer.text
    assert answer.headers["content-security-policy"] == pages.HEADERS["Content-Security-Policy"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("headers", PROGRAMS)
@pytest.mark.parametrize(("path", "status"), ADDRESSES)
async def test_a_program_gets_problem_details(
    http: httpx.AsyncClient, path: str, status: int, headers: dict[str, str]
) -> None:
    """As everywhere; also whoever would rather have JSON."""
    answer = await http.get(path, headers=headers)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


@pytest.mark.parametrize(("path", "status"), [("/metrics?x=1", 200), ("/away", 503)])
async def test_a_browser_gets_no_page_for_what_is_no_address(http: httpx.AsyncClient, path: str, status: int) -> None:
    """A service that is away is no page that there is not."""
    answer = await http.get(path, headers=BROWSER)

    assert answer.status_code != 404
    assert "data-status" not in answer.text
    assert answer.status_code in (status, 401)


async def test_a_method_that_is_not_taken_is_told_with_those_that_are(http: httpx.AsyncClient) -> None:
    """In the header, for browsers and programs alike; and a page is a page."""
    refused = await http.get("/only-post", headers=BROWSER)

    assert "POST" in refused.headers["allow"]
    page = await http.get("/runs", headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "data-status" not in page.text
