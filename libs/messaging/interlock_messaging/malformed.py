"""Malformed messages: one whose headers cannot be read becomes a dead letter, and does not end the connection.

Whoever may publish can send a header whose name is not UTF-8, a time beyond the calendar, or tables nested without
end. RabbitMQ passes them on, and pamqp raises where aiormq reads its socket: the connection is closed, the message
is redelivered, and no other message of that service ever arrives.
"""

import re
import struct
from collections.abc import Mapping
from typing import Any

import pamqp.encode
import pamqp.frame
from pamqp.commands import Basic
from pamqp.exceptions import UnmarshalingException
from pamqp.header import ContentHeader
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy.exc import StatementError

UNREADABLE = "x-unreadable"
"""Stands alone in place of headers that could not be read, with the reason."""

MAX_FAULT = 500
"""Characters that the text of one fault may have."""

_CLASS = re.compile(r"^<class '[^']*'>: ")
"""What SQLAlchemy puts before the driver's own words."""

_FIXED = struct.Struct(">HHQ")
"""What a content header begins with: class, weight, and how many bytes the body has."""

_read: Any = pamqp.frame._unmarshal_header_frame  # noqa: SLF001 - its public callers leave no way around it


def _read_or_replace(frame: bytes) -> ContentHeader:
    try:
        header: ContentHeader = _read(frame)
    except (UnmarshalingException, RecursionError, ValueError, OverflowError) as error:
        _, weight, size = _FIXED.unpack_from(frame)
        header = ContentHeader(weight, size, Basic.Properties(headers={UNREADABLE: str(error)[:500]}))
    return header


def install() -> None:
    """Have every connection of this process read that way; repeating it changes nothing."""
    setattr(pamqp.frame, _read.__name__, _read_or_replace)


def check_headers(headers: Mapping[str, Any]) -> None:
    """Raise ValueError where a message's headers could not be read."""
    if UNREADABLE in headers:
        raise ValueError(f"its headers cannot be read: {headers[UNREADABLE]}")


def reason_of(error: ValueError, content_encoding: Any) -> str:
    """Return why a message is no event; names the encoding of a body that may be compressed."""
    text = in_words(error)
    if content_encoding in (None, ""):
        return f"not a valid event: {text}"
    return f"not a valid event: {text}; its content encoding is {content_encoding!r}, and bodies are read as they are"


def in_words(error: Exception) -> str:
    """Return an error in one line, without what its library adds for programmers: types, addresses, statements."""
    if isinstance(error, ValidationError):
        return "; ".join(_fault(each) for each in error.errors(include_url=False))
    if isinstance(error, StatementError) and error.orig is not None:
        return _CLASS.sub("", str(error.orig)).partition("\n")[0]
    return " ".join(str(error).split())


def _fault(fault: ErrorDetails) -> str:
    where = ".".join(map(str, fault["loc"]))
    text = f"{where}: {fault['msg']}" if where else fault["msg"]
    given = fault["input"]
    return f"{text}, not {given!r}"[:MAX_FAULT] if given is None or isinstance(given, str | int | float) else text


def sendable(value: Any) -> Any:
    """Return a header's value fit to be sent again.

    Text that is not UTF-8 is read as bytes, which are refused as such; a double is sent as a float, which may be too
    small for it.
    """
    match value:
        case bytes():
            return bytearray(value)
        case dict():
            return {name: sendable(each) for name, each in value.items()}
        case list():
            return [sendable(each) for each in value]
        case _:
            return value if _is_encodable(value) else str(value)


def _is_encodable(value: Any) -> bool:
    try:
        pamqp.encode.encode_table_value(value)
    except (TypeError, ValueError, OverflowError, struct.error):
        return False
    return True
