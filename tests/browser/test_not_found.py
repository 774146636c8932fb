"""Addresses that are no page: what the page says there, and where it leads."""

import pytest
from interlock_console.assets import current
from interlock_console.pages import HEADERS
from playwright.async_api import Page, Route, expect

from tests.browser.canned import ORIGIN, SESSION, answer
from tests.browser.looks import Looks


@pytest.fixture
async def canned(canned: Page) -> Page:
    await answer(canned, {"/gateway/models/flights": {}, "/view/runs": {"runs": [], "total": 0}})
    return canned


async def opened(page: Page, path: str, status: int) -> None:
    """Open an address that the server answers with a problem: the page itself, with the status in it."""

    async def to(route: Route) -> None:
        body = current().contents["index.html"].replace(b"<html ", b'<html data-status="%d" ' % status)
        await route.fulfill(status=200, body=body, headers={**HEADERS, "Content-Type": "text/html"})

    await page.route(f"{ORIGIN}{path}", to)
    await page.goto(path)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/models/flights/unknown", [("Model flights", "/models/flights"), ("Models", "/models")]),
        ("/runs/abc/def", [("Run abc", "/runs/abc"), ("Runs", "/runs")]),
        ("/modles", [("Models", "/models")]),
        ("/run/7f000000", [("Run 7f000000", "/runs/7f000000"), ("Runs", "/runs")]),
        ("/Trace", [("Traces", "/traces")]),
        ("/nonsense", []),
        ("/%E0%A4%A", []),
    ],
)
async def test_an_unknown_address_says_so_and_what_was_perhaps_meant(
    canned: Page, path: str, meant: list[tuple[str, str]]
) -> None:
    """The pages above it, or those whose address is spelt alike; and the navigation is there as everywhere."""
    await opened(canned, path, 404)

    await expect(canned.get_by_role("heading", name="Page not found")).to_be_visible()
    await expect(canned).to_have_title("Page not found · Interlock")
    await expect(canned.get_by_role("navigation", name="Main").get_by_role("link", name="Models")).to_be_visible()
    links = await canned.get_by_role("paragraph").filter(has_text="Did you mean").get_by_role("link").all()
    assert [(await link.inner_text(), await link.get_attribute("href")) for link in links] == meant


async def test_the_page_of_an_unknown_address_leads_on(canned: Page, looks: Looks) -> None:
    """Without another request for a page; only what the key may open is named."""
    await opened(canned, "/models/flights/unknown", 404)
    await expect(canned.get_by_text("Did you mean")).to_be_visible()
    await looks.over(canned, "not-found")
    await canned.get_by_role("main").get_by_role("link", name="Home").click()
    await expect(canned.get_by_role("heading", name="Page not found")).to_have_count(0)

    await answer(canned, {"/session": {**SESSION, "scopes": ["read"]}})
    await opened(canned, "/audti", 404)
    await expect(canned.get_by_role("heading", name="Page not found")).to_be_visible()
    await expect(canned.get_by_text("Did you mean")).to_have_count(0)


@pytest.mark.parametrize(("status", "title"), [(405, "This address is not a page"), (500, "Something went wrong")])
async def test_a_page_that_the_server_refused_says_so_and_others_open(
    canned: Page, looks: Looks, status: int, title: str
) -> None:
    """Though its address looks like a page's; from there the console goes on."""
    await opened(canned, "/models/flights", status)
    await expect(canned.get_by_role("heading", name=title)).to_be_visible()
    await expect(canned).to_have_title(f"{title} · Interlock")
    await expect(canned.get_by_text("Did you mean")).to_have_count(0)
    await expect(canned.get_by_role("button", name="Try again")).to_have_count(1 if status == 500 else 0)
    await looks.over(canned, f"refused-{status}")

    await canned.get_by_role("navigation", name="Main").get_by_role("link", name="Runs").click()
    await expect(canned.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
