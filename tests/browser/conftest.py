"""A real browser, signed in at the console of the shared stack."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    async_playwright,
    expect,
)

from tests.browser.canned import ORIGIN
from tests.browser.looks import Looks
from tests.support.debian_programs import program
from tests.support.stack_user import User, csv

expect.set_options(timeout=20_000)

BROWSER = "chromium-headless-shell"
"""Chromium's engine alone: for each window, the whole browser also draws its own menus and bars, which nobody sees."""


@dataclass(frozen=True)
class Trained:
    """A model that serves, and the run that made it."""

    model: str
    run_id: str
    digest: str


@pytest.fixture(scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    """Return Playwright with a browser to start; where there is none, CI fails and a person is told what to install."""
    program(BROWSER, BROWSER)
    async with async_playwright() as running:
        yield running


@pytest.fixture(scope="session")
async def browser(playwright: Playwright) -> AsyncIterator[Browser]:
    """Return Debian's Chromium without a window; its own sandbox needs a user who is not root."""
    made = await playwright.chromium.launch(
        executable_path=program(BROWSER, BROWSER), chromium_sandbox=os.geteuid() != 0
    )
    yield made
    await made.close()


@pytest.fixture
async def stranger(browser: Browser, stack: dict[str, str]) -> AsyncIterator[BrowserContext]:
    """Return a browser's memory without a session, at the console's address."""
    made = await browser.new_context(base_url=stack["INTERLOCK_CONSOLE_URL"], permissions=["clipboard-write"])
    made.set_default_timeout(15_000)
    yield made
    await made.close()


@pytest.fixture
async def page(stranger: BrowserContext, stack: dict[str, str]) -> AsyncIterator[Page]:
    """Return a page with the admin's session; in the end, it must have had no error and no breach of its policy."""
    host = urlsplit(stack["INTERLOCK_CONSOLE_URL"]).hostname or ""
    key = stack["INTERLOCK_API_KEY"]
    await stranger.add_cookies(
        [
            {
                "name": "interlock_session",
                "value": key,
                "domain": host,
                "path": "/",
                "httpOnly": True,
                "sameSite": "Strict",
            }
        ]
    )
    made = await stranger.new_page()
    errors = errors_of(made)
    yield made
    assert errors == []


@pytest.fixture
async def canned(browser: Browser) -> AsyncIterator[Page]:
    """Return a page that gets the console's files, and nothing from a stack."""
    context = await browser.new_context(base_url=ORIGIN)
    page = await context.new_page()
    page.set_default_timeout(10_000)
    errors = errors_of(page)
    yield page
    assert errors == []
    await context.close()


@pytest.fixture
def looks(request: pytest.FixtureRequest) -> Looks:
    """Return who looks at pages: in dark, in light, on a telephone."""
    return Looks(request.config.getoption("--screenshots"))


@pytest.fixture
async def user(stack: dict[str, str]) -> AsyncIterator[User]:
    """Return a user of the stack with the admin key."""
    made = User(stack)
    async with made.http:
        yield made


@pytest.fixture(scope="session")
async def trained(stack: dict[str, str]) -> Trained:
    """Return a model that came about the whole way: applied, fed, trained, proven, promoted, served."""
    user = User(stack)
    async with user.http:
        model = await user.apply()
        digest = (await user.ingest(model, csv(300, seed=1, noise=0.5)))["digest"]
        run_id = await user.retrain(model)
        ended = await user.ended(run_id)
        assert ended["state"] == "succeeded", ended
        await user.serves(model, 1)
    return Trained(model, run_id, digest)


def errors_of(page: Page) -> list[str]:
    """Return the list that fills with what goes wrong in a page; a refusal that a page shows is no error of its own."""
    errors: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            errors.append(message.text)

    page.on("console", said)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors
