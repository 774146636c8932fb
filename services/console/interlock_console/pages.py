"""Static files of the single-page app: one page for every address, and its scripts and styles; none holds data."""

import mimetypes
from contextlib import suppress
from hashlib import sha256
from typing import Any

from interlock_runtime.http import PUBLIC
from interlock_runtime.problems import problem
from interlock_runtime.query_parameters import OPEN_QUERY
from litestar import Request, Response, get
from litestar.params import FromPath
from litestar.plugins.problem_details import ProblemDetailsException

from interlock_console.assets import current

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

ON_PAGE = (404, 405, 500)
"""Statuses that have a page of their own; others are about what was asked for, and not about the address."""

PROBLEM = "application/problem+json"
FOR_EVER = "public, max-age=31536000, immutable"


@get(ADDRESSES, opt={PUBLIC: True, OPEN_QUERY: True}, include_in_schema=False)
async def page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the single page; it shows the view that its address names."""
    return _file(request, "index.html")


@get("/static/{path:path}", opt={PUBLIC: True, OPEN_QUERY: True}, include_in_schema=False)
async def asset(path: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return a static file: one whose address has the version may be kept for ever, any other is asked for again."""
    return _file(request, path.lstrip("/"))


def answer_problem(problem: ProblemDetailsException, request: Request[Any, Any, Any]) -> Response[Any]:
    """Return the single page to a browser that has followed an address which leads nowhere, else problem details.

    The page shows the problem by its status, and where else to go.
    """
    wanted = request.accept.best_match([PROBLEM, "application/json", "text/html"])
    if problem.status_code not in ON_PAGE or wanted != "text/html":
        return problem.to_response(request)
    page = current().contents["index.html"].replace(b"<html ", b'<html data-status="%d" ' % problem.status_code, 1)
    headers = {**(problem.headers or {}), **HEADERS, "Cache-Control": "no-store"}
    return Response(page, status_code=problem.status_code, media_type="text/html", headers=headers)


def _file(request: Request[Any, Any, Any], address: str) -> Response[bytes]:
    assets = current()
    version, _, name = address.partition("/")
    lasting = version == assets.version
    name = name if lasting else address
    content = assets.contents.get(name)
    if content is None:
        raise problem(404, "No such file", f"the console has no file {name!r}")
    headers = {**HEADERS, "Vary": "Accept-Encoding"} | ({"Cache-Control": FOR_EVER} if lasting else {})
    packed = assets.compressed.get(name)
    if packed is not None and accepts_gzip(request.headers.get("accept-encoding", "")):
        content = packed
        headers["Content-Encoding"] = "gzip"
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers["ETag"] = tag
    if request.headers.get("if-none-match") == tag:
        return Response(b"", status_code=304, headers=headers)
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(content, media_type=media_type, headers=headers)


def accepts_gzip(header: str) -> bool:
    """Return whether an ``Accept-Encoding`` takes gzip (RFC 9110, 12.5.3); a quality of zero forbids it."""
    qualities = dict.fromkeys(("gzip", "*"), 0.0)
    for each in header.lower().split(","):
        coding, _, weight = each.replace(" ", "").partition(";q=")
        with suppress(ValueError):
            qualities[coding] = float(weight or 1)
    return (qualities["gzip"] if "gzip" in header.lower() else qualities["*"]) > 0


ROUTES = [page, asset]
