"""Keys that stand twice in one JSON object: readers keep the last value in silence, so input is checked for them."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

KEY_END = b'":'
"""What follows each key of a JSON object where no space stands before the colon."""

_SPACED = (b" :", b"\t:", b"\n:", b"\r:")
_SPARSE = 256
"""From so many bytes a colon on, finding each is faster than ``bytes.count``: tensors have few keys."""

_SCALARS = frozenset({str, int, float, bool, type(None), datetime, UUID})


class RepeatedKeyError(ValueError):
    """An object has a key twice; ``path`` is that of the key, dotted, as faults of fields have it."""

    def __init__(self, key: str, path: str) -> None:
        where = "" if path == key else f" (at {path[:120]})"
        super().__init__(f"{key[:60]!r} is there twice in one object{where}; which one counts cannot be told")


def keys_in(value: Any) -> int:
    """Return how many keys the objects of a JSON document have in all, given as what a reader has made of it.

    A pydantic model counts the fields that it was given; those that it ignored are not known any more.
    """
    count, nested = 0, [value]
    for each in nested:  # which grows
        kind, inner = type(each), each
        if kind is dict:
            count += len(each)
            inner = each.values()
        elif kind is not list and kind is not tuple:
            if (fields := getattr(each, "__pydantic_fields_set__", None)) is None:
                continue
            count += len(fields)
            inner = [each.__dict__[name] for name in fields]
        nested += [one for one in inner if type(one) not in _SCALARS]
    return count


def may_repeat_keys(body: bytes, count: int) -> bool:
    """Return whether a key may stand twice in a ``body`` whose objects were read to have ``count`` keys in all.

    Each key has a colon, so with as many colons as keys none is twice. More of them may stand in texts.
    """
    if body.count(b":") == count:
        return False
    return body.count(KEY_END) != count or any(each in body for each in _SPACED)


def _colons_are(body: bytes, count: int) -> bool:
    """Return whether a body has ``count`` colons: ``body.count(b":") == count``, faster where they are far apart."""
    place = -1
    for _ in range(count):
        if (place := body.find(b":", place + 1)) < 0:
            return False
    return body.find(b":", place + 1) < 0


def refuse_repeated_keys(body: bytes, count: int) -> None:
    """Check a ``body`` of JSON whose objects were read to have at most ``count`` keys in all (:func:`keys_in`).

    As many keys as were read stand in a body without repeats: only where that is not plain to see, it is read again.

    Raises:
        RepeatedKeyError: a key stands twice in one object.
    """
    if len(body) > count * _SPARSE and _colons_are(body, count):
        return
    if may_repeat_keys(body, count):
        with suppress(RecursionError):  # nested too deeply: its reader reports that
            for path, pairs in _objects(json.loads(body, object_pairs_hook=_Pairs, parse_int=float)):
                keys = [key for key, _ in pairs]
                if len(set(keys)) != len(keys):
                    repeated = next(key for key in keys if keys.count(key) > 1)
                    raise RepeatedKeyError(repeated, ".".join([*path, repeated]))


class _Pairs(list[tuple[str, Any]]):
    """An object as it is written: also of keys that are there twice, both."""


def _objects(document: Any) -> Iterator[tuple[tuple[str, ...], _Pairs]]:
    """Yield every object and the keys and positions that lead to it, in the order of the document."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), document)] if isinstance(document, list) else []
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, _Pairs):
            yield path, value
            inner = list(value)
        else:
            inner = [(str(place), each) for place, each in enumerate(value)]
        waiting += [((*path, key), each) for key, each in reversed(inner) if isinstance(each, list)]
