"""The OpenAPI documents are valid and exact, and can be browsed without a network."""

import re
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_gateway.protocols.model_document import model_document
from interlock_modeling import InvalidRowsError
from interlock_modeling.rows import read_rows
from interlock_modeling.signature import Feature, FeatureType, ModelSignature
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from tests.support.gateway_app import Door, client
from tests.support.stored_models import REGRESSION, ROW

TYPES: tuple[FeatureType, ...] = ("number", "integer", "boolean", "category", "datetime")
EVERY_TYPE = REGRESSION.model_copy(
    update={
        "features": [
            Feature(name=f"{kind}{'?' * nullable}", type=kind, nullable=nullable)
            for kind in TYPES
            for nullable in (False, True)
        ]
    }
)


def faults(document: dict[str, Any], schema: str, value: Any) -> list[str]:
    """Return what keeps ``value`` from being what the document calls ``schema``."""
    whole = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


async def test_the_gateways_document_is_valid_and_names_every_protocol(serving: Door) -> None:
    """Judged by the specification's own validator; it is open, and says which key the routes ask for."""
    async with client(str(serving.http.base_url), key=None) as nobody:
        document = (await nobody.get("/schema/openapi.json")).json()

    validate(document)
    assert document["security"] == [{"key": []}]
    assert {"/models/{name}/predict", "/v2/models/{name}/infer", "/invocations", "/models/{name}/schema"} <= set(
        document["paths"]
    )


async def test_the_page_asks_no_other_host(serving: Door) -> None:
    """Every address in it is our own and answers, and the browser is told to fetch from nowhere else."""
    async with client(str(serving.http.base_url), key=None) as nobody:
        page = await nobody.get("/schema")
        fetched = re.findall(r'(?:src|href)="([^"]*)"', page.text)
        answers = [await nobody.get(address) for address in fetched]
        missing = await nobody.get("/schema/assets/app.py")

    assert page.headers["content-type"].startswith("text/html")
    assert len(fetched) == 4
    assert all(address.startswith("/schema/assets/") for address in fetched)
    assert {answer.status_code for answer in answers} == {200}
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert '"/schema/openapi.json"' in answers[-1].text
    style = next(answer.text for address, answer in zip(fetched, answers, strict=True) if address.endswith(".css"))
    assert not re.search(r"@import|url\((?![\"']?data:)", style)
    assert missing.status_code == 404


async def document_of(door: Door, model: str) -> dict[str, Any]:
    answer = await door.http.get(f"/models/{model}/schema")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    validate(document)
    return document


@pytest.mark.parametrize("model", ["flights", "sales"])
async def test_real_answers_are_what_a_models_document_says(serving: Door, model: str) -> None:
    """By each protocol, answers and refusals."""
    document = await document_of(serving, model)
    signature = ModelSignature.model_validate(document["info"]["x-signature"])
    assert {each.name for each in signature.features} <= set(document["components"]["schemas"]["Row"]["properties"])
    tensors = {"inputs": [{"name": "size", "shape": [1], "datatype": "FP64", "data": [3.0]}]}
    asked: list[tuple[str, str, str, Any]] = [
        (f"/models/{model}/predict", "PredictRequest", "PredictAnswer", {"rows": [ROW, {"size": 300, "color": "new"}]}),
        (f"/v2/models/{model}/infer", "InferRequest", "InferAnswer", tensors),
        (f"/models/{model}/invocations", "ScoringRequest", "Scored", {"dataframe_records": [ROW]}),
    ]
    for path, request, expected, body in asked:
        answer = await serving.http.post(path, json=body)
        assert not faults(document, request, body)
        assert not faults(document, expected, answer.json()), answer.text

    wrong: list[tuple[str, str, Any]] = [
        (f"/models/{model}/predict", "Problem", {"rows": [{}]}),
        (f"/v2/models/{model}/infer", "Failed", {"inputs": []}),
        (f"/models/{model}/invocations", "ScoringFailed", {}),
    ]
    for path, expected, body in wrong:
        refused: httpx.Response = await serving.http.post(path, json=body)
        assert refused.is_client_error
        assert not faults(document, expected, refused.json())


async def test_a_model_that_does_not_serve_has_no_document(serving: Door) -> None:
    """It is reported in words, as for a prediction."""
    answer = await serving.http.get("/models/nobody/schema")

    assert (answer.status_code, answer.json()["title"]) == (404, "Unknown model")


CELLS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9) | st.text(max_size=3)
ROWS = st.fixed_dictionaries(
    {
        "number": st.floats(-1e9, 1e9) | CELLS,
        "integer": st.integers(-9, 9) | st.just(3.0) | CELLS,
        "boolean": st.booleans() | CELLS,
        "category": st.text(max_size=3) | CELLS,
        "datetime": st.just("2013-01-31T18:30:00Z"),
    },
    optional={**{f"{kind}?": CELLS for kind in TYPES[:4]}, "datetime?": st.none(), "unknown": CELLS},
)


@settings(max_examples=200)
@given(row=ROWS)
def test_a_row_is_valid_by_the_document_exactly_when_the_model_takes_it(row: dict[str, Any]) -> None:
    """Types, nulls, missing and unknown columns; only whether a text is a datetime is beyond JSON Schema."""
    document = model_document("every-type", 1, EVERY_TYPE)
    try:
        read_rows(EVERY_TYPE, [row])
        taken = True
    except InvalidRowsError:
        taken = False

    assert taken == (not faults(document, "Row", row))
