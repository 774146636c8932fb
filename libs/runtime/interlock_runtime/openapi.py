"""OpenAPI documents: what Litestar makes of the routes, completed by what it cannot see.

Summaries come from docstrings, components from pydantic itself (Litestar's own copy of a model loses what it forbids
and half of its types), bodies that handlers read themselves from the route option :data:`BODY`, and every operation
has its refusals: problem details, or as the route option :data:`REFUSAL` has it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPMethod, HTTPStatus
from inspect import cleandoc
from typing import Any

import msgspec
from interlock_contracts.http import Problem
from litestar import Litestar, Request, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import HTTPRoute
from litestar.types import Method
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

BODY = "body"
"""Route option: the body that a handler reads by itself, as a type by media type; a tuple of types is one of them."""

REFUSAL = "refusal"
"""Route option: what a refusal is besides problem details, as a type, where a protocol has a form of its own."""

FILE: Mapping[str, type] = {
    "text/csv": bytes,
    "application/x-ndjson": bytes,
    "application/vnd.apache.parquet": bytes,
    "application/octet-stream": bytes,
}
""":data:`BODY` of a route that takes a file as it is."""

SECURITY_SCHEMES = Components(
    security_schemes={
        "key": SecurityScheme(
            type="http", scheme="bearer", description="A key that `interlock keys create` made, or a token of OIDC."
        )
    }
)

Json = dict[str, Any]
Security = Callable[[Mapping[str, Any]], list[Json]]
"""What a document has of a route's options."""

_REF = "#/components/schemas/"
_BINARY: Json = {"type": "string", "format": "binary"}
_PLAIN: Mapping[Any, Json] = {bytes: _BINARY, str: {"type": "string"}, dict: {"type": "object"}}
_PROBLEM = "application/problem+json"


def operation_id(handler: HTTPRouteHandler, method: Method, path: list[Any]) -> str:
    """Return what an operation is called in a generated client: as its handler is, or its path if it has several."""
    del method
    if len(handler.paths) == 1:
        return handler.handler_name
    return "_".join(part if isinstance(part, str) else part.name for part in path)


class _Document(JsonRenderPlugin):
    def __init__(self, service: str, security: Security) -> None:
        super().__init__()
        self._service = service
        self._security = security

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:  # noqa: ARG002
        return msgspec.json.encode(described(request.app, self._service, self._security))


def document_config(service: str, security: Security, opt: Mapping[str, Any]) -> OpenAPIConfig:
    """Return where a service's document is; no page: the framework's would have a browser fetch scripts elsewhere."""
    return OpenAPIConfig(
        title=f"Interlock {service}",
        version="0.1.0",
        components=SECURITY_SCHEMES,
        render_plugins=[_Document(service, security)],
        operation_id_creator=operation_id,
        openapi_router=Router("/schema", route_handlers=[], opt=dict(opt), include_in_schema=False),
    )


def described(app: Litestar, service: str, security: Security) -> Json:
    """Return the OpenAPI document of an application."""
    document = app.openapi_schema.to_schema()
    schemas: Json = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= _of_types([Problem])
    for path, method, handler in _operations(app):
        operation = document["paths"][path][method]
        operation.setdefault("tags", [service])
        operation["security"] = security(handler.opt)
        _say(operation, handler)
        if (body := handler.opt.get(BODY)) is not None:
            operation["requestBody"] = {"required": True, "content": _content(body, schemas)}
        _answer(operation, handler.opt.get(REFUSAL), schemas)
    models = [model for name, model in _models().items() if name in schemas]
    schemas |= _of_types(models)
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(reached(document["paths"], schemas))}
    plain: Json = json.loads(msgspec.json.encode(document), object_hook=_with_items)
    return plain


def _with_items(value: Json) -> Json:
    """Declare an array of anything as one: some generators drop a model for it."""
    return value | {"items": {}} if value.get("type") == "array" and "items" not in value else value


def _operations(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Yield every operation of the document: its path, its method in lower case, its handler."""
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            if handler.resolve_include_in_schema():
                for method in handler.http_methods:
                    yield route.path_format, HTTPMethod(method).lower(), handler


def _say(operation: Json, handler: HTTPRouteHandler) -> None:
    """Take summary and description from the handler's docstring; RST's literals become Markdown's."""
    words = cleandoc(handler.fn.__doc__ or "").replace("``", "`")
    first, _, rest = words.partition("\n")
    if handler.summary is None and first:
        operation["summary"] = first.rstrip(".")
        words = rest.strip()
    if words:
        operation["description"] = words


def _answer(operation: Json, refusal: Any, schemas: Json) -> None:
    """Document how the operation refuses; and of answers that are no JSON, that they are texts or bytes."""
    refused: Json = {_PROBLEM: {"schema": {"$ref": _REF + Problem.__name__}}}
    if refusal is not None:
        refused |= _content({"application/json": refusal}, schemas)
    responses: Json = {}
    for status, response in operation.get("responses", {}).items():
        if int(status) < HTTPStatus.BAD_REQUEST:
            for media_type, content in response.get("content", {}).items():
                if not content.get("schema") and not media_type.endswith("json"):
                    content["schema"] = {"type": "string"} if media_type.startswith("text/") else _BINARY
            responses[status] = response
        elif "$ref" in json.dumps(response, default=str):  # one that the route declares, not Litestar's own guess
            responses[status] = {"description": response["description"], "content": refused}
    operation["responses"] = responses | {"default": {"description": "Why not", "content": refused}}


def _content(body: Mapping[str, Any], schemas: Json) -> Json:
    """Return the content of a body by media type; the types that it names are added to ``schemas``."""
    found: Json = {}
    for media_type, kinds in body.items():
        forms = []
        for kind in kinds if isinstance(kinds, tuple) else (kinds,):
            if kind in _PLAIN:
                forms.append(_PLAIN[kind])
            else:
                schemas |= _of_types([kind])
                forms.append({"$ref": _REF + kind.__name__})
        found[media_type] = {"schema": forms[0] if len(forms) == 1 else {"oneOf": forms}}
    return found


def _of_types(types: list[Any]) -> Json:
    """Return the JSON Schemas of types, and of all that they refer to, by name."""
    models = [each for each in types if issubclass(each, BaseModel)]
    others = [each for each in types if not issubclass(each, BaseModel)]
    _, made = models_json_schema([(each, "validation") for each in models], ref_template=_REF + "{model}")
    _, components = msgspec.json.schema_components(others, ref_template=_REF + "{name}")
    return {**made.get("$defs", {}), **components}


def _models() -> dict[str, type[BaseModel]]:
    """Return every model of the contracts that is loaded, by its name."""
    found: dict[str, type[BaseModel]] = {}
    pending: list[type[BaseModel]] = [BaseModel]
    while pending:
        for each in pending.pop().__subclasses__():
            pending.append(each)
            if each.__module__.startswith("interlock_contracts."):
                found[each.__name__] = each
    return found


def reached(value: Any, schemas: Json) -> set[str]:
    """Return the names of all components that something refers to, also by way of others."""
    found: set[str] = set()
    pending = [value]
    while pending:
        text = json.dumps(pending.pop(), default=str)
        for name in set(re.findall(rf'"{_REF}([^"]+)"', text)) - found:
            found.add(name)
            pending.append(schemas[name])
    return found
