"""A query parameter that nobody reads is refused, by each protocol in its own form, and on the fast path too."""

from typing import Any

import pytest

from tests.support.gateway_app import Door
from tests.support.stored_models import ROW

ROWS = {"rows": [ROW]}
TENSORS = {"inputs": [{"name": "size", "shape": [1], "datatype": "FP64", "data": [3.0]}]}


@pytest.mark.parametrize("size", [1, 2000])
async def test_a_prediction_takes_no_query_parameter(serving: Door, size: int) -> None:
    """Not even one that the fast path could answer, small or large."""
    answer = await serving.http.post("/models/flights/predict?version=1", json={"rows": [ROW] * size})

    assert answer.status_code == 422
    assert answer.json()["detail"] == "unknown query parameter 'version', this address takes none"


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/v2/models/flights/infer?binary=1", TENSORS, 400, "error"),
        ("/models/flights/invocations?params=1", {"dataframe_records": [ROW]}, 400, "message"),
        ("/models/flights/predictions?on_eror=null", ROWS, 422, "detail"),
        ("/models/flights/retrain?reason=new", {}, 422, "detail"),
    ],
)
async def test_every_protocol_says_so_in_its_own_form(
    serving: Door, path: str, body: Any, status: int, field: str
) -> None:
    """Open Inference and MLflow define none, and know no 422."""
    answer = await serving.http.post(path, json=body)

    assert answer.status_code == status
    assert answer.json()[field].startswith("unknown query parameter ")


async def test_probes_and_pages_take_any(serving: Door) -> None:
    """A load balancer's cache buster takes nothing out of service."""
    for path in ("/v2/health/live", "/v2/health/ready", "/ping", "/version", "/schema", "/schema/openapi.json"):
        plain, busted = await serving.http.get(path), await serving.http.get(f"{path}?t=1")
        assert (busted.status_code, busted.text) == (plain.status_code, plain.text)


async def test_what_is_passed_on_is_judged_behind(serving: Door) -> None:
    """By the service whose route it is, which knows its parameters."""
    serving.behind.asked.clear()
    await serving.http.get("/datasets/flights?anything=1")

    assert serving.behind.asked == [{"query": "anything=1"}]
