"""Decode the body of a prediction request, synchronous or asynchronous; both refuse in the same words."""

from codecs import BOM_UTF8
from typing import Any, TypeVar

import msgspec
from interlock_contracts.json_keys import RepeatedKeyError, refuse_repeated_keys
from interlock_contracts.predictions import MAX_ROWS
from interlock_runtime.http import problem

T = TypeVar("T")


def decoded(decoder: msgspec.json.Decoder[T], body: bytes, form: str) -> T:
    """Return what ``body`` holds.

    Raises:
        ProblemDetailsException: 400 where it is not JSON, 422 where it is something else; ``form`` says what it may be.
    """
    try:
        return decoder.decode(body.removeprefix(BOM_UTF8))
    except msgspec.ValidationError as error:
        raise problem(422, "Not a prediction request", f"{error}; {form}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise problem(400, "The body is not JSON", json_fault(error, body)) from error


def json_fault(error: Exception, body: bytes | memoryview) -> str:
    """Return what is wrong with a body that is not JSON; names the likely reason where that is a float's."""
    written = next((each for each in (b"NaN", b"Infinity") if each in bytes(body)), None)
    if written is None:
        return str(error)
    return f"{error}; JSON has no {written.decode()}: write null for a value that is missing"


def checked_rows(rows: list[Any], body: bytes) -> list[Any]:
    """Return the ``rows`` of a ``body``.

    Raises:
        ProblemDetailsException: 422 where there are none, too many, or a column is twice in one of them.
    """
    if not rows:
        raise problem(422, "Nothing to predict", "rows is empty; send at least one")
    if len(rows) > MAX_ROWS:
        raise problem(422, "Too many rows", f"{len(rows)} rows are too many; send at most {MAX_ROWS} in one request")
    try:
        refuse_repeated_keys(body, 1 + sum(len(row) for row in rows if isinstance(row, dict)))
    except RepeatedKeyError as error:
        raise problem(422, "A column is there twice", str(error)) from error
    return rows
