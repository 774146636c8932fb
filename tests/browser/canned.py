"""The console's files as they are, without a stack: answers come from a table. For what needs data of a made size."""

import json
import mimetypes
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from interlock_console.pages import HEADERS
from interlock_contracts.access import SCOPES
from playwright.async_api import Page, Route

STATIC = Path(str(files("interlock_console") / "static"))
ORIGIN = "https://console.invalid"
SESSION = {"name": "somebody", "scopes": SCOPES}


async def answer(page: Page, answers: dict[str, Any]) -> None:
    """Answer what the page asks at ``ORIGIN`` from files and from ``answers`` (JSON by path); all else is not found."""
    known = {"/session": SESSION, **answers}

    async def to(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path in known:
            await route.fulfill(body=json.dumps(known[path]), content_type="application/json")
        elif path.startswith("/static/"):
            await route.fulfill(path=STATIC / path.removeprefix("/static/"), content_type=mimetypes.guess_type(path)[0])
        elif route.request.resource_type == "document":
            await route.fulfill(path=STATIC / "index.html", headers={**HEADERS, "Content-Type": "text/html"})
        else:
            await route.fulfill(status=404, json={"status": 404, "title": "Not Found", "detail": path})

    await page.route(f"{ORIGIN}/**", to)
