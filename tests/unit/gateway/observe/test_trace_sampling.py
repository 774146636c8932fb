"""The span of a prediction leads to the promotion that put its model there, however the worker learned of it."""

from typing import Any

import pytest
from interlock_contracts import telemetry
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.observe import trace_sampling
from interlock_gateway.observe.trace_sampling import end_prediction, prediction_span
from interlock_modeling import Model
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.support.spans import RecordSpans
from tests.support.stored_models import ENCODER, REGRESSION

TRACE, PROMOTED, ASKED = "0af7651916cd43dd8448eb211c80319c", "a" * 16, "b" * 16


@pytest.fixture
def kept(record_spans: RecordSpans) -> InMemorySpanExporter:
    return record_spans(trace_sampling)


@pytest.mark.parametrize("trace", [f"00-{TRACE}-{PROMOTED}-01", None, "rubbish"])
def test_a_prediction_is_linked_to_its_promotion(kept: InMemorySpanExporter, trace: str | None) -> None:
    """It stays in the caller's trace; a promotion from before there were traces is simply not linked."""
    engine: Any = None
    model = Model(REGRESSION, ENCODER, engine)
    headers = {b"traceparent": f"00-{'c' * 32}-{ASKED}-01".encode()}
    with prediction_span("flights", headers) as made:
        end_prediction(made, 200, BatchedModel(3, 7, model, trace))
    (span,) = kept.get_finished_spans()
    assert span.attributes is not None
    assert span.parent is not None

    assert (span.name, f"{span.parent.span_id:016x}") == ("POST /models/{name}/predict", ASKED)
    assert (span.attributes[telemetry.VERSION], span.attributes[telemetry.PROMOTION_SEQ]) == (3, 7)
    links = [(f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") for link in span.links]
    assert links == ([(TRACE, PROMOTED)] if trace is not None and trace != "rubbish" else [])
