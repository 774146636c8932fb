"""Schema compatibility: what a change of a JSON Schema means for readers and writers; structural, and strict in doubt.

Messages of one type meet readers of other releases in both directions: old messages wait in queues, in dead letters
and in the outbox, and during a roll-out old readers get what new writers write. So a change can hurt in two ways:

- it ``breaks``: what was right once is not any more, or a reader misses what it counted on;
- it ``widens``: new writers may write what readers of the release before refuse.

A new optional field is neither, nor is a new name in a mapping whose names are listed: that is the same. Keywords that
are not known here may not change at all.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic_core import to_json

Schema = Mapping[str, Any]

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_WORDS = ("title", "description", "examples", "$defs", "discriminator", "deprecated")
"""What no reader decides by."""

_FOLLOWED = (
    *("$ref", "anyOf", "oneOf", "type", "enum", "const", "default", "properties", "required", "items"),
    "propertyNames",
)
_REFERENCE = re.compile(rb'"(#/\$defs/[^"]+)"')
_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """One difference of two schemas; ``where`` is the path to it, for instance ``dataset.train.bytes``."""

    where: str
    what: str
    kind: Literal["breaks", "widens"]

    def __str__(self) -> str:
        return f"{self.where or 'the whole'}: {self.what}"


def changes(old: Schema, new: Schema) -> list[Change]:
    """Return what may be felt between two versions of a schema; nothing where only optional fields were added."""
    return list(_Comparison(old, new).compared(old, new, ""))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old.get("$defs", {})
        self._new = new.get("$defs", {})
        self._under_way: set[tuple[Any, Any]] = set()
        self._unchanged = _unchanged(self._old, self._new)

    def compared(self, old: Schema, new: Schema, where: str) -> Iterator[Change]:
        """Yield the changes of one place; a type that contains itself is looked into once."""
        yield from _default(old, new, where)
        refs = old.get("$ref"), new.get("$ref")
        if all(refs):
            if refs in self._under_way or (refs[0] == refs[1] and refs[0] in self._unchanged):
                return
            self._under_way.add(refs)
        before, after = _alternatives(old, self._old), _alternatives(new, self._new)
        for left, right in _pairs(before, after):
            if left is not None and right is not None:
                yield from self._one(left, right, where)
            elif left is not None:
                yield Change(where, f"may no longer be {_shown(left)}", "breaks")
            elif right is not None:
                yield Change(where, f"may now be {_shown(right)}", "widens")
        self._under_way.discard(refs)

    def _one(self, old: Schema, new: Schema, where: str) -> Iterator[Change]:
        if old.get("type") != new.get("type"):
            looser = (old.get("type"), new.get("type")) == ("integer", "number")
            yield Change(where, f"was {_shown(old)}, is {_shown(new)}", "widens" if looser else "breaks")
        yield from _values(old, new, where)
        yield from _limits(old, new, where)
        yield from self._fields(old, new, where)
        if "items" in old and "items" in new:
            yield from self.compared(old["items"], new["items"], f"{where}[]")
        elif "items" in old or "items" in new:
            yield _absence("items", old, where)
        yield from self._names(old, new, where)
        rest, known = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if isinstance(rest, Mapping) and isinstance(known, Mapping):
            yield from self.compared(rest, known, f"{where}.*")
        elif rest != known:
            looser = known is True or rest is False
            yield Change(where, f"other fields: was {rest}, is {known}", "widens" if looser else "breaks")

    def _fields(self, old: Schema, new: Schema, where: str) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        must, must_now = set(old.get("required", ())), set(new.get("required", ()))
        for name in before:
            place = f"{where}.{name}".lstrip(".")
            if name not in after:
                yield Change(place, "is gone, or has another name", "breaks")
                continue
            if name in must_now - must:
                yield Change(place, "is required now, and old messages may not have it", "breaks")
            if name in must - must_now:
                yield Change(place, "may be missing now, and old readers need it", "widens")
            yield from self.compared(before[name], after[name], place)
        for name in after.keys() - before.keys():
            if name in must_now:
                place = f"{where}.{name}".lstrip(".")
                yield Change(place, "is new and required, and old messages do not have it", "breaks")

    def _names(self, old: Schema, new: Schema, where: str) -> Iterator[Change]:
        """Yield what the names of a mapping may no longer be."""
        was, now = (each.get("propertyNames") for each in (old, new))
        if was is None or now is None:
            if was != now:
                yield _absence("propertyNames", old, where)
            return
        before, after = _enumerated(_alternatives(was, self._old)[0]), _enumerated(_alternatives(now, self._new)[0])
        if before is None or after is None:
            yield from self.compared(was, now, where)
        else:
            yield from (Change(where, f"has no {name} any more", "breaks") for name in before if name not in after)


def _unchanged(old: Schema, new: Schema) -> set[str]:
    """Return the references to definitions that are the same in both, with all that they refer to."""
    # As text: 1, 1.0 and true are equal in Python, and different defaults.
    before, after = ({f"#/$defs/{name}": to_json(each) for name, each in one.items()} for one in (old, new))
    same = {ref for ref, text in before.items() if after.get(ref) == text}
    inner = {ref: {each.decode() for each in _REFERENCE.findall(before[ref])} for ref in same}
    while changed := {ref for ref in same if not inner[ref] <= same}:
        same -= changed
    return same


def _alternatives(schema: Schema, definitions: Schema) -> list[Schema]:
    """Return what a place may hold, references followed."""
    if "$ref" in schema:
        return _alternatives(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return [one for each in schema[union] for one in _alternatives(each, definitions)]
    return [schema]


def _pairs(before: list[Schema], after: list[Schema]) -> Iterator[tuple[Schema | None, Schema | None]]:
    """Yield which alternative became which: the equal ones, then those alike by name and type, then those by type."""
    left, right = list(before), list(after)
    alike: list[Callable[[Schema, Schema], bool]] = [
        lambda a, b: a == b,
        lambda a, b: (a.get("title"), a.get("type")) == (b.get("title"), b.get("type")),
        lambda a, b: a.get("type") == b.get("type"),
        lambda a, b: (a.get("type"), b.get("type")) == ("integer", "number"),
    ]
    if len(before) == len(after) == 1:
        alike.append(lambda _a, _b: True)
    for same in alike:
        for a in list(left):
            b = next((each for each in right if same(a, each)), None)
            if b is not None:
                left.remove(a)
                right.remove(b)
                yield a, b
    yield from ((a, None) for a in left)
    yield from ((None, b) for b in right)


def _default(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    was, now = old.get("default", _ABSENT), new.get("default", _ABSENT)
    if was is not _ABSENT and now is not _ABSENT and (was, type(was)) != (now, type(now)):
        yield Change(where, f"left out, it meant {was!r} and would mean {now!r}", "breaks")


def _values(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    was, now = _enumerated(old), _enumerated(new)
    if was is None and now is None:
        return
    if was is None or now is None:
        yield _absence("enum", {} if was is None else {"enum": was}, where)
        return
    for value in was:
        if value not in now:
            yield Change(where, f"may no longer be {value!r}", "breaks")
    for value in now:
        if value not in was:
            yield Change(where, f"may now be {value!r}", "widens")


def _enumerated(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _limits(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    for name in sorted((old.keys() | new.keys()) - {*_WORDS, *_FOLLOWED, "additionalProperties"}):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        if was is None or now is None:
            yield _absence(name, old, where)
        elif name in _LOWER or name in _UPPER:
            tighter = now > was if name in _LOWER else now < was
            yield Change(where, f"{name} was {was}, is {now}", "breaks" if tighter else "widens")
        else:
            yield Change(where, f"{name} was {was!r}, is {now!r}", "breaks")


def _absence(name: str, old: Schema, where: str) -> Change:
    if name in old:
        return Change(where, f"{name} {old[name]!r} no longer holds", "widens")
    return Change(where, f"{name} holds now, and did not before", "breaks")


def _shown(schema: Schema) -> str:
    return str(schema.get("title") or schema.get("const") or schema.get("type") or "anything")
