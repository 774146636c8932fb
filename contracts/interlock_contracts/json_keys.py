"""Keys that stand twice in one JSON object: readers keep the last value in silence, so input is checked for them."""

import json
from contextlib import suppress
from typing import Any

KEY_END = b'":'
"""What follows each key of a JSON object where no space stands before the colon."""

_SPACED = (b" :", b"\t:", b"\n:", b"\r:")


class RepeatedKeyError(ValueError):
    """An object has a key twice."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key[:60]!r} is there twice in one object; which one counts cannot be told")


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of its pairs: the ``object_pairs_hook`` of Python's reader.

    Raises:
        RepeatedKeyError: two pairs have the same key.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return found


def may_repeat_keys(body: bytes, count: int) -> bool:
    """Return whether a key may stand twice in a ``body`` whose objects were read to have ``count`` keys in all.

    Each key has a colon, so with as many colons as keys none is twice. More of them may stand in texts.
    """
    if body.count(b":") == count:
        return False
    return body.count(KEY_END) != count or any(each in body for each in _SPACED)


def refuse_repeated_keys(body: bytes, count: int) -> None:
    """Check a ``body`` of JSON whose objects were read to have ``count`` keys in all.

    As many keys as were read stand in a body without repeats: only where that is not plain to see, it is read again.

    Raises:
        RepeatedKeyError: a key stands twice in one object.
    """
    if may_repeat_keys(body, count):
        with suppress(RecursionError):  # nested too deeply to be rows, which whoever reads them says
            json.loads(body, object_pairs_hook=unique_keys)
