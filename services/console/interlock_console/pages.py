"""Static files of the single-page app: one page for every address, and its scripts and styles; none holds data."""

import mimetypes
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from interlock_runtime.http import PUBLIC, problem
from interlock_runtime.query_parameters import OPEN_QUERY
from litestar import Request, Response, get
from litestar.params import FromPath

ADDRESSES = [
    "/",
    "/runs",
    "/runs/compare",
    "/runs/{run_id:str}",
    "/models",
    "/models/{name:str}",
    "/models/{name:str}/compare",
    "/models/{name:str}/versions/{number:str}",
    "/datasets",
    "/datasets/{name:str}/{digest:str}",
    "/try",
    "/try/{name:str}",
    "/events",
    "/dead-letters",
    "/audit",
    "/keys",
    "/traces",
    "/traces/{trace_id:str}",
    "/enter",
]
STATIC = Path(str(files("interlock_console") / "static"))
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
"""Only files of this origin are loaded. Inline styles are allowed: charts set colours and widths with them."""


@get(ADDRESSES, opt={PUBLIC: True, OPEN_QUERY: True}, include_in_schema=False)
async def page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the single page; it shows the view that its address names."""
    return _file(request, "index.html")


@get("/static/{path:path}", opt={PUBLIC: True, OPEN_QUERY: True}, include_in_schema=False)
async def asset(path: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return a static file; 304 where the browser has it already."""
    return _file(request, path.lstrip("/"))


def _file(request: Request[Any, Any, Any], name: str) -> Response[bytes]:
    """Return a file, uncached: files are small, and an edit shows at the next reload."""
    found = STATIC / name
    if not found.is_file() or not found.resolve().is_relative_to(STATIC.resolve()):
        raise problem(404, "No such file", f"the console has no file {name!r}")
    content = found.read_bytes()
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {**HEADERS, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(b"", status_code=304, headers=headers)
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    return Response(content, media_type=media_type, headers=headers)


ROUTES = [page, asset]
