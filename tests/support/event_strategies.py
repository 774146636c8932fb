"""Random events: whatever the schemas let through, at the edges of what a field may hold."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

from hypothesis import strategies as st
from interlock_contracts.catalog import BY_TYPE
from interlock_contracts.event import Envelope, Event

Schema = Mapping[str, Any]

_HEXADECIMAL = "0123456789abcdef"
_texts = st.text(max_size=40) | st.sampled_from(["\0", "a\nb", "<script>", "é" * 40, "2026-01-31"])
_anything = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _texts
_moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-14)), timezone(timedelta(hours=14))]))


def _of(schema: Schema, definitions: Mapping[str, Schema]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _of(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return st.one_of(*(_of(choice, definitions) for choice in schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return _of_type(schema, definitions)


def _of_type(schema: Schema, definitions: Mapping[str, Schema]) -> st.SearchStrategy[Any]:
    found: st.SearchStrategy[Any] = _anything
    match schema.get("type"):
        case "object":
            found = _objects(schema, definitions)
        case "array":
            items = _of(schema.get("items", {}), definitions)
            found = st.lists(items, min_size=schema.get("minItems", 0), max_size=3)
        case "string":
            found = _strings(schema)
        case "integer":
            found = st.integers(schema.get("minimum"), schema.get("maximum"))
        case "number":
            found = st.floats(allow_nan=False) | st.integers(0, 1)
        case "boolean":
            found = st.booleans()
        case "null":
            found = st.none()
    return found


def _objects(schema: Schema, definitions: Mapping[str, Schema]) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:
        values = schema.get("additionalProperties")
        names = st.text(max_size=8)
        for pattern, of_pattern in schema.get("patternProperties", {}).items():
            names, values = _matching(pattern), of_pattern
        inner = _of(values, definitions) if isinstance(values, Mapping) else _anything
        return st.dictionaries(names, inner, max_size=3)
    fields = {name: _of(field, definitions) for name, field in schema["properties"].items()}
    required = set(schema.get("required", ()))
    optional = {name: field for name, field in fields.items() if name not in required}
    return st.fixed_dictionaries({name: fields[name] for name in fields if name in required}, optional=optional)


def _strings(schema: Schema) -> st.SearchStrategy[str]:
    if schema.get("format") == "uuid":
        return st.uuids().map(str)
    if schema.get("format") == "date-time":
        return _moments.map(datetime.isoformat)
    if "pattern" in schema:
        return _matching(schema["pattern"])
    least, most = schema.get("minLength", 0), schema.get("maxLength", 40)
    return _texts.filter(lambda text: least <= len(text) <= most) | st.text(
        min_size=least, max_size=min(most, least + 9)
    )


def _matching(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern.removesuffix("$") + r"\Z")  # Python's `$` lets a newline follow


def events(*types: str) -> st.SearchStrategy[Event]:
    """Return events of these types, by default of all; what no schema can say (a sum, a clash) is left out."""
    return st.one_of(*(_events(BY_TYPE[name].event) for name in types or sorted(BY_TYPE)))


@cache
def _events(event: type[Event]) -> st.SearchStrategy[Event]:
    schema = event.model_json_schema()

    def read(data: dict[str, Any]) -> Event | None:
        try:
            return event.model_validate(data)
        except ValueError:
            return None

    found: st.SearchStrategy[Any] = _of(schema, schema.get("$defs", {})).map(read)
    return found.filter(lambda event: event is not None)


_ids = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=200)
_sources = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
_attributes: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"id": _ids, "source": _sources},
    optional={
        "time": (_moments | st.datetimes()).map(datetime.isoformat),
        "subject": _texts,
        "causationid": _texts,
        "traceparent": _texts
        | st.text(_HEXADECIMAL, min_size=32, max_size=32).map(lambda trace: f"00-{trace}-b7ad6b7169203331-01"),
    },
)


def envelopes(event: Event) -> st.SearchStrategy[Envelope]:
    """Return what an unknown publisher may write around an event, as far as it is one at all."""

    def read(attributes: dict[str, Any]) -> Envelope | None:
        try:
            return Envelope.of_headers(
                {f"ce-{name}": value for name, value in attributes.items()} | {"ce-type": event.type}
            )
        except ValueError:
            return None

    found: st.SearchStrategy[Any] = _attributes.map(read)  # a moment in New Zealand's year 1 is none in ours
    return found.filter(lambda envelope: envelope is not None)
