"""What every route of the document may answer besides what it is for: a refusal, as problem details."""

from interlock_contracts.http import Problem
from litestar import Litestar
from litestar.openapi import spec

_OWN = ("/invocations", "/ping", "/health", "/version")
"""What ends the addresses of MLflow's protocol, which says its refusals as JSON of its own, as the open one does."""


def document_refusals(app: Litestar) -> Litestar:
    """Add to each operation in the document that any other status is a refusal, and in which words."""
    schema = spec.Schema(
        title=Problem.__name__,
        description="An error as RFC 9457 says.",
        type=spec.OpenAPIType.OBJECT,
        properties={
            "title": spec.Schema(type=spec.OpenAPIType.STRING),
            "status": spec.Schema(type=spec.OpenAPIType.INTEGER),
            "detail": spec.Schema(type=spec.OpenAPIType.STRING),
        },
        required=["title", "status"],
    )
    problems = {"application/problem+json": spec.OpenAPIMediaType(schema)}
    anything = {"application/json": spec.OpenAPIMediaType(spec.Schema(type=spec.OpenAPIType.OBJECT))}
    for path, item in (app.openapi_schema.paths or {}).items():
        own = anything if path.endswith(_OWN) or path.startswith("/v2") else {}
        for operation in (item.get, item.put, item.post, item.delete, item.patch):
            if operation is None or operation.responses is None:
                continue
            refusals = {status: each for status, each in operation.responses.items() if status.startswith(("4", "5"))}
            for status, each in refusals.items():
                description = getattr(each, "description", "") or "Why not"
                operation.responses[status] = spec.OpenAPIResponse(description=description, content=problems | own)
            operation.responses["default"] = spec.OpenAPIResponse(description="Why not", content=problems | own)
    return app
