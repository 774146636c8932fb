"""The contracts hold: every event ever committed decodes, and what is generated is up to date."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from interlock_contracts import render
from interlock_contracts.catalog import BY_TYPE, OUTSIDE, ROUTES
from interlock_contracts.event import Envelope

CONTRACTS = Path(render.ROOT) / "contracts"
EXAMPLES = sorted((CONTRACTS / "examples").glob("*/*.json"))


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_golden_message_decodes(path: Path) -> None:
    """A message committed once is understood by today's code, and by anyone who reads the JSON Schema."""
    message = load(path)
    envelope, data = Envelope.parse(message["headers"], json.dumps(message["body"]).encode(), "application/json")

    event = BY_TYPE[envelope.type].event.model_validate(data)

    assert path.parent.name == envelope.type == event.type
    jsonschema.validate(data, load(CONTRACTS / "schemas" / f"{envelope.type}.json"))
    assert kept(data, json.loads(event.body())), "nothing that was said is lost or means something else"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_a_newer_producer_adds_is_ignored(path: Path) -> None:
    """At every depth, in the data and among the attributes: during a roll-out old readers read new writers."""
    message = load(path)
    headers = {**message["headers"], "cloudEvents_newextension": "x"}
    newer = with_more(message["body"], load(CONTRACTS / "schemas" / f"{path.parent.name}.json"))
    envelope, data = Envelope.parse(headers, json.dumps(newer).encode(), "application/json")
    model = BY_TYPE[envelope.type].event

    assert newer != message["body"]
    assert model.model_validate(data) == model.model_validate(message["body"])


def kept(said: Any, understood: Any) -> bool:
    """Return whether all that was written is read; defaults that came later may stand beside it."""
    if isinstance(said, dict) and isinstance(understood, dict):
        return all(value is None or kept(value, understood.get(name)) for name, value in said.items())
    if isinstance(said, list) and isinstance(understood, list):
        return len(said) == len(understood) and all(map(kept, said, understood))
    return bool(said == understood)


def with_more(value: Any, schema: dict[str, Any], definitions: dict[str, Any] | None = None) -> Any:
    """Return ``value`` with one more field in every object whose fields the schema names."""
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    for choice in schema.get("anyOf", []):
        value = with_more(value, choice, definitions)
    if isinstance(value, list) and "items" in schema:
        return [with_more(each, schema["items"], definitions) for each in value]
    if isinstance(value, dict) and "properties" in schema:
        fields = schema["properties"]
        inner = {name: with_more(each, fields.get(name, {}), definitions) for name, each in value.items()}
        return inner | {"added_by_a_newer_producer": {"deep": [1]}}
    return value


def test_every_event_has_a_golden_message_and_none_is_orphaned() -> None:
    """Adding an event without an example, or leaving one behind, is noticed."""
    assert {path.parent.name for path in EXAMPLES} == set(BY_TYPE)


def test_generated_files_are_up_to_date() -> None:
    """Schemas, AsyncAPI document and map follow from the catalog; `make contracts` writes them."""
    outdated = [path for path, text in render.files().items() if not path.exists() or path.read_text() != text]

    assert not outdated
    schemas = {path for path in render.files() if path.parent.name == "schemas"}
    assert set((CONTRACTS / "schemas").glob("*.json")) == schemas


def test_the_asyncapi_document_names_every_event_and_marks_the_external_ones() -> None:
    """People outside learn from the document what they may publish."""
    channels = yaml.safe_load((CONTRACTS / "asyncapi.yaml").read_text())["channels"]

    assert set(channels) == set(BY_TYPE)
    external = {name for name, channel in channels.items() if channel["x-external"]}
    assert external == {"dataset.submitted", "retrain.requested", "training.cancel_requested", "rollback.requested"}


def test_a_request_has_exactly_one_consumer() -> None:
    """Two services that act on one request would do it twice."""
    for route in ROUTES:
        if route.event.type.endswith(("_requested", ".requested", ".submitted")):
            assert len(route.consumers) == 1, route.event.type


def test_only_the_registry_publishes_model_promoted() -> None:
    """The gate's verdict reaches production through one hand."""
    assert BY_TYPE["model.promoted"].producers == ("registry",)


def test_every_event_documents_when_it_becomes_true() -> None:
    """The docstring is the definition of the fact."""
    for route in ROUTES:
        assert (route.event.__doc__ or "").startswith(("True ", "A request ")), route.event
        assert OUTSIDE not in route.consumers
