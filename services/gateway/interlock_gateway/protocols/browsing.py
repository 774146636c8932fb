"""The OpenAPI document of every route, and a page to browse it at ``/schema`` that asks no other host for anything.

The document is made of those of the services by ``make contracts``, since most routes are theirs.
"""

from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from interlock_runtime.http import PUBLIC
from interlock_runtime.openapi import SECURITY_SCHEMES, operation_id
from interlock_runtime.problems import problem
from interlock_runtime.query_parameters import OPEN_QUERY
from litestar import Request, Response, Router, get
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.params import FromPath

DOCUMENT = files("interlock_contracts") / "openapi.json"

_FOLDER = Path(__file__).parent / "swagger_ui"
_TYPES = {
    "favicon-32x32.png": "image/png",
    "start.js": "text/javascript",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Interlock</title>
<link rel="icon" type="image/png" href="/schema/assets/favicon-32x32.png">
<link rel="stylesheet" href="/schema/assets/swagger-ui.css">
</head>
<body>
<div id="document"></div>
<script src="/schema/assets/swagger-ui-bundle.js"></script>
<script src="/schema/assets/start.js"></script>
</body>
</html>
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"
)
"""What a browser may fetch for the page: from here, or nothing."""


class _Page(OpenAPIRenderPlugin):
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        return _PAGE.encode()


class _Document(JsonRenderPlugin):
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        return DOCUMENT.read_bytes()


@get("/assets/{name:str}")
async def asset(name: FromPath[str]) -> Response[bytes]:
    """Return one of the page's files."""
    if name not in _TYPES:
        raise problem(404, "Not Found", f"the page has no file {name!r}")
    headers = {"Cache-Control": "max-age=86400"}
    return Response((_FOLDER / name).read_bytes(), media_type=_TYPES[name], headers=headers)


def browsable() -> OpenAPIConfig:
    """Return where the document is, and what holds for every route in it; page and document are open to all."""
    return OpenAPIConfig(
        title="Interlock",
        version=version("interlock-gateway"),
        summary="Event-driven CI/CD for machine-learning models",
        description="Every route asks for the key. `GET /models/{name}/schema` describes one model's rows and answers.",
        components=SECURITY_SCHEMES,
        security=[{"key": []}],
        render_plugins=[_Page(path="/"), _Document()],
        operation_id_creator=operation_id,
        openapi_router=Router(
            "/schema",
            route_handlers=[asset],
            opt={PUBLIC: True, OPEN_QUERY: True},
            include_in_schema=False,
            response_headers={"Content-Security-Policy": _POLICY},
        ),
    )
