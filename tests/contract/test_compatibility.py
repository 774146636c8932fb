"""Schema compatibility: every change that breaks a reader or a writer is found, and no harmless one is reported."""

import json
from collections.abc import Callable, Iterator
from copy import copy, deepcopy
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_contracts import released
from interlock_contracts.catalog import BY_TYPE
from interlock_contracts.compatibility import changes
from interlock_contracts.render import ROOT, schemas

Schema = dict[str, Any]


class Mutation(NamedTuple):
    """One change of one place in a schema."""

    path: tuple[Any, ...]
    what: str
    change: Callable[[Schema], Any]


SCHEMAS = schemas()
EVENTS = sorted(BY_TYPE)
OTHER = {"string": "boolean", "integer": "string", "number": "string", "boolean": "string", "array": "object"}
LOWER, UPPER = ("minimum", "exclusiveMinimum", "minLength", "minItems"), ("maximum", "maxLength", "maxItems")
NEW_LIMITS = {"string": {"minLength": 3}, "integer": {"maximum": 5}, "number": {"minimum": 5}, "array": {"maxItems": 2}}


def places(schema: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every schema inside a schema, itself first."""
    yield path
    for name, inner in schema.get("$defs", {}).items():
        yield from places(inner, (*path, "$defs", name))
    for name, inner in schema.get("properties", {}).items():
        yield from places(inner, (*path, "properties", name))
    for index, inner in enumerate(schema.get("anyOf", [])):
        yield from places(inner, (*path, "anyOf", index))
    if isinstance(schema.get("items"), dict):
        yield from places(schema["items"], (*path, "items"))


def at(schema: Schema, path: tuple[Any, ...]) -> Any:
    for step in path:
        schema = schema[step]
    return schema


def breaking(schema: Schema) -> Iterator[Mutation]:
    """Yield every single change that takes something away from this schema."""
    for path in places(schema):
        here = at(schema, path)
        for what, change in (*_worse_fields(here), *_worse_values(here), *_worse_limits(here)):
            yield Mutation(path, what, change)


def _worse_fields(here: Schema) -> Iterator[tuple[str, Callable[[Schema], Any]]]:
    for field in here.get("properties", {}):
        yield f"without {field}", partial(_drop, field=field)
        yield f"{field} renamed", partial(_rename, field=field)
        if field not in here.get("required", []):
            yield f"{field} required", partial(_require, field=field)
    if "properties" in here:
        yield "a new required field", partial(_add, required=True)


def _worse_values(here: Schema) -> Iterator[tuple[str, Callable[[Schema], Any]]]:
    for value in here.get("enum", []):
        yield f"without {value!r}", partial(_remove, key="enum", value=value)
    for index, choice in enumerate(here.get("anyOf", [])):
        yield f"never {choice}", partial(_without, key="anyOf", index=index)
    if here.get("type") in OTHER:
        yield "another type", partial(_set, key="type", value=OTHER[here["type"]])
    if here.get("default") is not None:
        yield "another default", partial(_set, key="default", value="something else")


def _worse_limits(here: Schema) -> Iterator[tuple[str, Callable[[Schema], Any]]]:
    for limit in here.keys() & {*LOWER, *UPPER}:
        yield f"tighter {limit}", partial(_set, key=limit, value=here[limit] + (1 if limit in LOWER else -1))
    for limit, value in NEW_LIMITS.get(here.get("type", ""), {}).items():
        if not here.keys() & {limit, "enum", "const"}:
            yield f"{limit} is new", partial(_set, key=limit, value=value)
    if "pattern" in here:
        yield "another pattern", partial(_set, key="pattern", value="^x$")


def widening(schema: Schema) -> Iterator[Mutation]:
    """Yield every single change after which writers may write what readers of today refuse."""
    for path in places(schema):
        here = at(schema, path)
        for field in here.get("required", []):
            yield Mutation(path, f"{field} optional", partial(_remove, key="required", value=field))
        for key, more in (("enum", "more"), ("anyOf", {"type": "boolean"})):
            if key in here:
                yield Mutation(path, f"{key}: one more", partial(_set, key=key, value=[*here[key], more]))
        for limit in here.keys() & {*LOWER, *UPPER}:
            looser = here[limit] - (1 if limit in LOWER else -1)
            yield Mutation(path, f"looser {limit}", partial(_set, key=limit, value=looser))
            yield Mutation(path, f"no {limit}", partial(_pop, key=limit))
        if here.get("type") == "integer":
            yield Mutation(path, "any number", partial(_set, key="type", value="number"))


def additive(schema: Schema) -> Iterator[Mutation]:
    """Yield every single change that is harmless."""
    for path in places(schema):
        if "properties" in at(schema, path):
            yield Mutation(path, "a new optional field", partial(_add, required=False))
        yield Mutation(path, "better words", partial(_set, key="description", value="said in better words"))


def _set(here: Schema, key: str, value: Any) -> None:
    here[key] = value


def _pop(here: Schema, key: str) -> None:
    del here[key]


def _without(here: Schema, key: str, index: int) -> None:
    here[key] = [*here[key][:index], *here[key][index + 1 :]]


def _remove(here: Schema, key: str, value: Any) -> None:
    here[key] = [each for each in here[key] if each != value]


def _drop(here: Schema, field: str) -> None:
    del here["properties"][field]
    here["required"] = [each for each in here.get("required", []) if each != field]


def _rename(here: Schema, field: str) -> None:
    here["properties"]["renamed"] = here["properties"].pop(field)
    here["required"] = ["renamed" if each == field else each for each in here.get("required", [])]


def _require(here: Schema, field: str) -> None:
    here["required"] = [*here.get("required", []), field]


def _add(here: Schema, *, required: bool) -> None:
    name = f"added_{len(here['properties'])}"
    here["properties"][name] = {"type": "string"} if required else {"type": "string", "default": ""}
    if required:
        _require(here, name)


def with_other_names(schema: Schema) -> Schema:
    """Return the same schema, its definitions under other names: the name of a class is no promise."""
    text = json.dumps(schema)
    for name in schema.get("$defs", {}):
        text = text.replace(f'"#/$defs/{name}"', f'"#/$defs/{name}X"')
    renamed: Schema = json.loads(text)
    return renamed | {"$defs": {f"{name}X": each for name, each in renamed.get("$defs", {}).items()}}


def changed(schema: Schema, *mutations: Mutation) -> Schema:
    """Return the schema with the mutations; what they do not touch is shared with it."""
    for mutation in mutations:
        schema = _changed(schema, mutation.path, mutation)
    return schema


def _changed(schema: Any, path: tuple[Any, ...], mutation: Mutation) -> Any:
    if not path:
        new = deepcopy(schema)
        mutation.change(new)
        return new
    new = copy(schema)
    new[path[0]] = _changed(schema[path[0]], path[1:], mutation)
    return new


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_single_breaking_change_of_every_schema_is_found(name: str) -> None:
    """Removed, renamed, retyped, tightened, newly required, one value fewer: at any depth."""
    old = SCHEMAS[name]
    mutations = list(breaking(old))
    missed = [each for each in mutations if not breaks(old, changed(old, each))]

    assert not missed
    assert len(mutations) > 3


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_single_widening_of_every_schema_is_found_and_breaks_nothing(name: str) -> None:
    """Widening, which readers of today refuse, is kept apart from removal."""
    old = SCHEMAS[name]
    wrong = [each for each in widening(old) if {one.kind for one in changes(old, changed(old, each))} != {"widens"}]

    assert not wrong


@pytest.mark.parametrize("name", EVENTS)
@settings(max_examples=10)
@given(data=st.data())
def test_additions_pass_and_hide_nothing(name: str, data: st.DataObject) -> None:
    """Any number of optional fields and better words may come; a breaking change among them is found all the same."""
    old = SCHEMAS[name]
    new = changed(old, *data.draw(st.lists(st.sampled_from(list(additive(old))), max_size=6)))
    worse = changed(new, data.draw(st.sampled_from(list(breaking(old)))))

    assert changes(old, with_other_names(new)) == []
    assert breaks(old, with_other_names(worse))
    for path in (ROOT / "contracts" / "examples" / name).glob("*.json"):
        jsonschema.validate(json.loads(path.read_text())["body"], new)


def breaks(old: Schema, new: Schema) -> bool:
    return any(each.kind == "breaks" for each in changes(old, new))


def test_a_released_promise_is_kept() -> None:
    """This is what fails in CI; its message has what is broken and how to roll it out instead."""
    texts = released.broken(schemas(), released.releases())

    assert not texts, "\n\n".join(["", *texts])
    assert released.releases(), "there is a release to compare with"


def test_what_breaks_is_reported_with_the_order_of_its_roll_out() -> None:
    """Readers come first, by name; the writers follow, and the old type goes last."""
    current = schemas()
    _rename(current["model.promoted"], "promotion_seq")

    (text,) = released.broken(current, released.releases()[-1:])

    assert "promotion_seq: is gone, or has another name" in text
    steps = text.partition("Roll it out in this order:")[2]
    assert "model.promoted.v2" in steps
    assert steps.index("readers (train_dispatch, gateway, prediction)") < steps.index("writers (registry)")


def test_a_wider_schema_waits_for_a_release_that_reads_it() -> None:
    """Without one it is reported with its own order; an event that is no more is reported as broken."""
    current = schemas()
    current["training.failed"]["properties"]["outcome"]["enum"].append("lost")
    del current["model.retired"]

    wider, gone = sorted(released.broken(current, released.releases()[-1:]), reverse=True)

    assert "may now be 'lost'" in wider
    assert "make a release" in wider
    assert gone.startswith("model.retired breaks")


def test_what_people_declare_may_be_wider_but_nothing_less() -> None:
    """What is new is declared only after the release that takes it; what was declared once stays right."""
    current = schemas()
    champion = current["pipeline"]["$defs"]["Champion"]["properties"]["metric"]["enum"]
    champion.append("profit")
    assert released.broken(current, released.releases()[-1:]) == []

    champion.remove("r2")
    (text,) = released.broken(current, released.releases()[-1:])
    assert "gate.champion.metric: may no longer be 'r2'" in text
    assert "profit" not in text


def test_names_of_a_mapping_are_like_optional_fields() -> None:
    """One more passes, one less is missed; names that are listed where any would do are fewer."""

    def mapping(*names: str) -> Schema:
        numbers = {"type": "object", "additionalProperties": {"type": "number"}}
        return {**numbers, "propertyNames": {"enum": list(names)}} if names else numbers

    assert changes(mapping("r2"), mapping("r2", "mae")) == []
    assert [str(each) for each in changes(mapping("r2", "mae"), mapping("mae"))] == ["the whole: has no r2 any more"]
    assert breaks(mapping(), mapping("r2"))
    assert [each.kind for each in changes(mapping("r2"), mapping())] == ["widens"]


def test_a_release_is_recorded_once_and_only_if_it_breaks_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one release promised, no later one takes back."""
    monkeypatch.setattr(released, "RELEASED", tmp_path)
    folder = released.record("1.9.0")
    with pytest.raises(ValueError, match=r"not after 1\.9\.0"):
        released.record("1.9.0")

    path = folder / "model.retired.json"
    promised = json.loads(path.read_text())
    _add(promised, required=False)
    path.write_text(json.dumps(promised))

    with pytest.raises(ValueError, match=r"model\.retired breaks release 1\.9\.0"):
        released.record("1.10.0")
    assert [each.name for each in released.releases()] == ["1.9.0"]
