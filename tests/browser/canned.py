"""The console's files as they are, without a stack: answers come from a table. For what needs data of a made size."""

import json
import mimetypes
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from interlock_console.assets import current
from interlock_console.pages import HEADERS
from interlock_contracts.access import SCOPES
from playwright.async_api import Page, Route

ORIGIN = "https://console.invalid"
SESSION = {"name": "somebody", "scopes": SCOPES}


class Plain(NamedTuple):
    """An answer that is text, and its headers."""

    text: str
    headers: dict[str, str]


async def answer(page: Page, answers: dict[str, Any]) -> None:
    """Answer what the page asks at ``ORIGIN`` from files and from ``answers`` (JSON or Plain); else it is not found.

    An answer stands under its path, with a query where it is that query's alone, behind a method if it is not GET's.
    """
    known, assets = {"/session": SESSION, **answers}, current()

    async def to(route: Route) -> None:
        path, query = urlsplit(route.request.url)[2:4]
        names = (f"{route.request.method} {path}", f"{path}?{query}", path)
        found = next((each for each in names if each in known), None)
        if found is not None and isinstance(known[found], Plain):
            headers = {**known[found].headers, "Content-Type": "text/plain; charset=utf-8"}
            await route.fulfill(body=known[found].text, headers=headers)
        elif found is not None:
            await route.fulfill(body=json.dumps(known[found]), content_type="application/json")
        elif path.startswith("/static/"):
            name = path.removeprefix("/static/").removeprefix(f"{assets.version}/")
            await route.fulfill(body=assets.contents[name], content_type=mimetypes.guess_type(path)[0])
        elif route.request.resource_type == "document":
            headers = {**HEADERS, "Content-Type": "text/html"}
            await route.fulfill(body=assets.contents["index.html"], headers=headers)
        else:
            await route.fulfill(status=404, json={"status": 404, "title": "Not Found", "detail": path})

    await page.route(f"{ORIGIN}/**", to)
