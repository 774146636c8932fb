"""The OpenAPI document is complete, follows from the routes, and is the one that is served."""

from collections.abc import Iterator
from typing import Any

import pytest
from interlock_contracts.deployment import NAMES
from interlock_runtime.openapi import BODY
from interlock_runtime.query_parameters import declared
from litestar import Litestar
from openapi_spec_validator import validate

from tests.security.apps import Way, applications, ways
from tests.support.openapi import PATH, documents, gateways, passed_on, rendered

Json = dict[str, Any]

WITHOUT_BODY = {
    "approve_version",
    "cancel_prediction",
    "cancel_run",
    "load",
    "replay_dead_letter",
    "unload",
}
"""What is posted without a body; every other POST and PUT has one, in the document too."""


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Litestar]:
    return applications(tmp_path_factory.mktemp("apps"))


@pytest.fixture(scope="module")
def described(apps: dict[str, Litestar]) -> dict[str, Json]:
    """Return each service's document; the gateway's with what it passes on."""
    return documents(apps) | {"gateway": gateways(apps)}


def in_documents(apps: dict[str, Litestar]) -> Iterator[Way]:
    return (way for way in ways(apps) if way.method != "OPTIONS" and way.handler.resolve_include_in_schema())


def operation(described: dict[str, Json], way: Way) -> Json:
    found: Json = described[way.service]["paths"][way.path][way.method.lower()]
    return found


def test_the_file_is_what_the_routes_say(apps: dict[str, Litestar]) -> None:
    """`make contracts` writes it; a route that changes changes it."""
    assert PATH.read_text() == rendered(apps)


@pytest.mark.parametrize("service", NAMES)
def test_every_document_is_valid(described: dict[str, Json], service: str) -> None:
    """Judged by the specification's own validator."""
    validate(described[service])


def test_nothing_public_is_left_out(apps: dict[str, Litestar], described: dict[str, Json]) -> None:
    """Every route of every service, and at the gateway those that it passes on, as their service has them."""
    known = {
        (service, path, method)
        for service in NAMES
        for path, item in described[service]["paths"].items()
        for method in item
    }
    own = documents(apps)

    assert {(way.service, way.path, way.method.lower()) for way in in_documents(apps)} == known
    assert len(passed_on(apps)) > 30
    for way, service in passed_on(apps):
        assert operation(described, way) == own[service]["paths"][way.path][way.method.lower()]
        assert operation(described, way)["tags"] == [service]


def test_hidden_are_only_pages_probes_and_the_consoles_way_to_the_gateway(apps: dict[str, Litestar]) -> None:
    """A route is not left out of the document by mistake."""
    others = [way for way in ways(apps) if way.service != "console" and way.method != "OPTIONS"]
    hidden = {way.path for way in others if not way.handler.resolve_include_in_schema()}

    assert hidden == {
        *("/health/live", "/health/ready", "/metrics"),
        *("/schema", "/schema/openapi.json", "/schema/{path}", "/schema/assets/{name}"),
    }


def test_every_operation_has_a_summary_and_typed_answers(apps: dict[str, Litestar], described: dict[str, Json]) -> None:
    """In words of its own; what is refused is a problem, or in the form of its protocol as well."""
    for way in in_documents(apps):
        found = operation(described, way)
        assert len(found["summary"].split()) > 1, way.name
        assert "``" not in found["summary"] + found.get("description", ""), way.name
        refused = found["responses"]["default"]["content"]["application/problem+json"]
        assert refused["schema"] == {"$ref": "#/components/schemas/Problem"}
        answers = [each for status, each in found["responses"].items() if status.startswith("2") and status != "204"]
        assert all(content["schema"] for each in answers for content in each["content"].values()) or way.name == (
            "console POST /v1/traces"  # in protobuf, or in its JSON
        ), way.name


def test_every_body_is_documented(apps: dict[str, Litestar], described: dict[str, Json]) -> None:
    """Also one that its handler reads by itself, with every media type that it takes."""
    posted = [way for way in in_documents(apps) if way.method in ("POST", "PUT")]
    without = {
        operation(described, way)["operationId"] for way in posted if "requestBody" not in operation(described, way)
    }

    assert without == WITHOUT_BODY
    for way in posted:
        if BODY in way.handler.opt:
            content = operation(described, way)["requestBody"]["content"]
            assert set(content) == set(way.handler.opt[BODY])
            assert all(each["schema"] for each in content.values())


def test_every_query_parameter_is_documented(apps: dict[str, Litestar], described: dict[str, Json]) -> None:
    """Those that are not refused are those of the document; times and numbers by their types and limits."""
    for way in in_documents(apps):
        found = {
            each["name"]: each for each in operation(described, way).get("parameters", []) if each["in"] == "query"
        }
        if (way.path, way.method) not in {(passed.path, passed.method) for passed, _ in passed_on(apps)}:
            assert set(found) == set(declared(way.handler)), way.name
        if "limit" in found:
            assert str(found["limit"]["schema"]).count("imum") == 2, way.name
        if "before" in found:
            assert found["before"].get("description") or "before" in str(operation(described, way)), way.name


def test_operations_are_named_as_a_client_calls_them(described: dict[str, Json]) -> None:
    """Each by a name that is a function's, and its own."""
    named = [each["operationId"] for item in described["gateway"]["paths"].values() for each in item.values()]

    assert len(named) == len(set(named))
    assert all(name.isidentifier() and name == name.lower() for name in named)
    assert {"apply_pipeline", "upload", "list_runs", "read_quality", "predict_rows", "invocations"} < set(named)


def test_each_operation_says_which_scope_it_asks_for(described: dict[str, Json]) -> None:
    """Or that it asks for none."""
    paths = described["gateway"]["paths"]

    assert paths["/pipelines/{name}"]["put"]["security"] == [{"key": ["promote"]}]
    assert paths["/datasets/{name}"]["post"]["security"] == [{"key": ["ingest"]}]
    assert paths["/v2/health/live"]["get"]["security"] == []
    assert described["console"]["paths"]["/session"]["get"]["security"] == [{"key": []}]


def test_a_pipeline_is_described_as_its_contract_has_it(described: dict[str, Json]) -> None:
    """With all that it forbids."""
    schemas = described["gateway"]["components"]["schemas"]

    assert schemas["Pipeline"]["additionalProperties"] is False
    assert set(schemas["Data"]["properties"]) > {"columns", "key", "csv"}
    assert schemas["PredictRequest"]["properties"]["rows"]["items"] == {"type": "object"}
    assert schemas["RowsPredictionRequest"]["properties"]["rows"]["maxItems"] == 10_000
