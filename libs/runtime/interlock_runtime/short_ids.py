"""Short ids: in routes that read, the beginning of an id stands for the whole, where only one begins so.

What changes something takes whole ids alone: an id that means one run today may mean two tomorrow.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, TypeVar
from uuid import UUID

from litestar.params import PathParameter
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from interlock_runtime.database import Database
from interlock_runtime.problems import problem

SHORTEST = 8
"""Hexadecimal digits that a short id has at least."""

COMPARED = 6
"""Ids that are looked up at most; all but the last are listed where there are several."""

_DIGITS = 32
_BEGINNING = re.compile(rf"[0-9a-f]{{{SHORTEST},{_DIGITS - 1}}}")

IdOrBeginning = Annotated[
    str,
    PathParameter(
        description=f"The id, or its beginning: {SHORTEST} hexadecimal digits or more. 409 where several ids begin so, "
        "with the first of them."
    ),
]

Id = TypeVar("Id", UUID, str)


async def whole_id(database: Database, column: InstrumentedAttribute[UUID], text: str, what: str) -> UUID:
    """Return the id that ``text`` is, or the only one in ``column`` (an index) that begins with it.

    Raises:
        ProblemDetailsException: 404 where it is no beginning of an id, or of none; 409 where it is of several.
    """
    with suppress(ValueError):
        return UUID(text)
    bounds = id_range(text)
    if bounds is None:
        detail = f"{text[:40]!r} is no {what}'s id, nor the beginning of one ({SHORTEST} hexadecimal digits or more)"
        raise problem(404, f"Unknown {what}", detail)
    async with database.sessions() as session:
        query = select(column).where(column.between(*bounds)).order_by(column).limit(COMPARED)
        found = (await session.scalars(query)).all()
    return only_one(found, text, what)


def id_range(text: str) -> tuple[UUID, UUID] | None:
    """Return the least and the greatest id that begins with ``text``; None where it is too short, or no beginning."""
    digits = text.replace("-", "").lower()
    if not _BEGINNING.fullmatch(digits):
        return None
    least, greatest = UUID(digits.ljust(_DIGITS, "0")), UUID(digits.ljust(_DIGITS, "f"))
    written = text.lower() in (digits, str(least)[: len(text)])  # with dashes where they belong, or without any
    return (least, greatest) if written else None


def only_one(found: Sequence[Id], text: str, what: str) -> Id:
    """Return the one id of those ``found`` to begin with ``text``, of which there are at most ``COMPARED``.

    Raises:
        ProblemDetailsException: 404 where there is none, 409 with the ids where there are several.
    """
    if not found:
        raise problem(404, f"Unknown {what}", f"no {what}'s id begins with {text}", headers={"Retry-After": "1"})
    if len(found) == 1:
        return found[0]
    listed = [str(each) for each in found[: COMPARED - 1]]
    more = ", …" if len(found) == COMPARED else ""
    detail = f"the ids of several {what}s begin with {text}: {', '.join(listed)}{more}; give more digits"
    raise problem(409, "Ambiguous id", detail, errors=[{"id": each} for each in listed])
