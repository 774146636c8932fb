"""The span of a request: who asked, which route, how it was answered."""

from typing import Any

import pytest
from interlock_contracts import telemetry
from interlock_runtime import tracing
from interlock_runtime.problems import problem
from interlock_runtime.tracing import request_span
from litestar import Litestar, Request, post
from litestar.params import FromPath
from litestar.testing import TestClient
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from tests.support.spans import RecordSpans

TRACE, ASKED = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def kept(record_spans: RecordSpans) -> InMemorySpanExporter:
    return record_spans(tracing)


@post("/datasets/{name:str}", status_code=202)
async def upload(name: FromPath[str], request: Request[Any, Any, Any]) -> None:
    """Take everything but two."""
    with request_span(telemetry.SPAN_UPLOAD, request, {telemetry.PIPELINE: name}, status=202):
        if name == "unknown":
            raise problem(404, "Unknown pipeline")
        if name == "broken":
            raise RuntimeError("out of luck")


def asked(kept: InMemorySpanExporter, name: str) -> ReadableSpan:
    with TestClient(Litestar([upload], logging_config=None)) as client:
        client.post(f"/datasets/{name}", headers={"traceparent": f"00-{TRACE}-{ASKED}-01"})
    (span,) = kept.get_finished_spans()
    return span


@pytest.mark.parametrize(
    ("name", "answered", "status"),
    [("flights", 202, StatusCode.UNSET), ("unknown", 404, StatusCode.UNSET), ("broken", 500, StatusCode.ERROR)],
)
def test_a_request_is_recorded_by_route_and_status(
    kept: InMemorySpanExporter, name: str, answered: int, status: StatusCode
) -> None:
    """A caller's mistake is no error of ours, as the conventions have it; an error of ours tells its kind."""
    span = asked(kept, name)
    assert span.attributes is not None
    assert span.parent is not None

    assert (span.name, f"{span.parent.span_id:016x}") == ("POST /datasets/{name}", ASKED)
    assert {each: span.attributes[each] for each in (telemetry.METHOD, telemetry.ROUTE, telemetry.PATH)} == {
        telemetry.METHOD: "POST",
        telemetry.ROUTE: "/datasets/{name}",
        telemetry.PATH: f"/datasets/{name}",
    }
    assert (span.attributes[telemetry.STATUS], span.status.status_code) == (answered, status)
    assert (telemetry.ERROR_TYPE in span.attributes) is (status is StatusCode.ERROR)
