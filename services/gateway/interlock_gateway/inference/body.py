"""Decode the body of a prediction request, synchronous or asynchronous; both refuse in the same words."""

from codecs import BOM_UTF8
from typing import Any, TypeVar

import msgspec
from interlock_contracts.predictions import MAX_ROWS
from interlock_runtime.problems import problem

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


def json_fault(error: Exception, body: bytes) -> str:
    """Return what is wrong with a body that is not JSON; names the likely reason where that is a float's."""
    written = next((each for each in (b"NaN", b"Infinity") if each in body), None)
    if written is None:
        return str(error)
    return f"{error}; JSON has no {written.decode()}: write null for a value that is missing"


def check_size(rows: list[Any]) -> None:
    """Check how many ``rows`` there are.

    Raises:
        ProblemDetailsException: 422 where there are none, or too many.
    """
    if not rows:
        raise problem(422, "Nothing to predict", "rows is empty; send at least one")
    if len(rows) > MAX_ROWS:
        raise problem(422, "Too many rows", f"{len(rows)} rows are too many; send at most {MAX_ROWS} in one request")
